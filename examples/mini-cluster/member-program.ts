/**
 * The program of the nodes in one piece. Each process that loads the sources one by one takes two seconds of a processor
 * for it, before it does anything; put together once, they are loaded in a fraction of that.
 */

import { mkdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const MEMBER = fileURLToPath(new URL('member.ts', import.meta.url));

/** Parts of what is bundled were written for CommonJS, and ask for what an ES module has not. */
const COMMON_JS = [
  `import { createRequire as requireFrom } from 'node:module';`,
  `const require = requireFrom(import.meta.url);`,
  `const { filename: __filename = '', dirname: __dirname = '' } = import.meta;`,
].join('\n');

let bundled: ReturnType<typeof bundle> | undefined;

/** Begins to put it together, in a process of its own, unless that was begun. What goes wrong, the writing tells. */
export function bundleMember(): void {
  bundled ??= bundle(MEMBER);
  bundled.catch(() => {});
}

/** Writes it to a directory. Returns the path of the file to run. */
export function writeMemberProgram(dir: string): Promise<string> {
  bundleMember();
  return written(MEMBER, dir, bundled);
}

/** The same for the program that begins with another file of this repository. */
export function writeProgram(entry: string, dir: string): Promise<string> {
  return written(entry, dir, bundle(entry));
}

async function written(entry: string, dir: string, files = bundle(entry)): Promise<string> {
  await mkdir(dir, { recursive: true });
  for (const { path, contents } of (await files).outputFiles) {
    await writeFile(join(dir, basename(path)), contents);
  }
  return join(dir, `${basename(entry, '.ts')}.mjs`);
}

function bundle(entry: string) {
  return build({
    entryPoints: [entry],
    write: false,
    outdir: '.',
    outExtension: { '.js': '.mjs' },
    // What only some drivers need is loaded by nodes that have them.
    splitting: true,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    conditions: ['@skep/source'],
    // Native parts, which their owners do without.
    external: ['*.node', 'cpu-features'],
    banner: { js: COMMON_JS },
    logLevel: 'error',
  });
}
