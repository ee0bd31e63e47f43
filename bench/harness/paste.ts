/**
 * Puts results into the README: between `<!-- results: NAME -->` and `<!-- end -->` stands what the file `NAME.md` of the
 * results holds, so that no figure there was copied by hand.
 */

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RESULTS } from './results.ts';

const README = fileURLToPath(new URL('../README.md', import.meta.url));
const PLACE = /(<!-- results: ([a-z-]+) -->\n).*?(<!-- end -->)/gs;

/** Pastes all that there is. @returns the names of what was pasted */
export async function pasteResults(readme = README, results = RESULTS): Promise<readonly string[]> {
  const text = await readFile(readme, 'utf8');
  const found = new Map<string, string>();
  for (const [, , name = ''] of text.matchAll(PLACE)) {
    const contents = await readFile(join(results, `${name}.md`), 'utf8').catch(() => undefined);
    if (contents !== undefined) found.set(name, contents);
  }
  const pasted = text.replace(PLACE, (place: string, begin: string, name: string, end: string) => {
    const contents = found.get(name);
    return contents === undefined ? place : `${begin}\n${contents}\n${end}`;
  });
  await writeFile(readme, pasted);
  return [...found.keys()];
}
