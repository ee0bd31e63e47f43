/** Plants a bug: writes a copy of the package's sources with it. */

import { cp, readFile, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Mutant } from './mutant.ts';

/** What simulations of cores, scenarios and the search are made of; nodes are made of everything. */
const CORE_PARTS = ['core', 'linearizability', 'simulator', 'scenario', 'search'];
const NODE_PARTS = [...CORE_PARTS, 'node', 'storage', 'transport', 'adapters/file-storage'];

const SOURCES = fileURLToPath(new URL('../src/', import.meta.url));

/** The directory of packages that the sources are run with. */
function installedPackages(): string {
  const name = `${sep}node_modules${sep}`;
  const msgpackr = createRequire(import.meta.url).resolve('msgpackr');
  return msgpackr.slice(0, msgpackr.lastIndexOf(name) + name.length - 1);
}

/** Writes a copy of the package's sources with one bug in it, into `folder`. */
export async function plant(mutant: Mutant, folder: string): Promise<void> {
  const parts = mutant.layer === 'node' ? NODE_PARTS : CORE_PARTS;
  for (const part of parts) {
    await cp(join(SOURCES, part), join(folder, 'src', part), {
      recursive: true,
      filter: (path) => !path.endsWith('.test.ts') && !path.endsWith('test-support'),
    });
  }
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  if (mutant.layer === 'node') {
    await symlink(installedPackages(), join(folder, 'node_modules'), 'junction');
  }
  const path = join(folder, 'src', mutant.file);
  const source = await readFile(path, 'utf8');
  const found = source.split(mutant.find).length - 1;
  if (found !== 1) throw new Error(`"${mutant.name}": its place in ${mutant.file} is found ${found} times`);
  await writeFile(
    path,
    source.replace(mutant.find, () => mutant.replace),
  );
}
