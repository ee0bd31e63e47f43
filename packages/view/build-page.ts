/** Puts the page together: one script, one style sheet, nothing from elsewhere. */

import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';

const PAGE = join(import.meta.dirname, 'src', 'page');

/** Writes the page's files to a directory. @param entry - the script to begin with; default: the page of a server */
export async function buildPage(outDir: string, entry = join(PAGE, 'main.tsx')): Promise<void> {
  await mkdir(outDir, { recursive: true });
  await Promise.all([
    build({
      entryPoints: [{ in: entry, out: 'view' }],
      outdir: outDir,
      bundle: true,
      minify: true,
      format: 'esm',
      platform: 'browser',
      target: 'es2022',
      conditions: ['@skep/source', 'browser'],
      jsx: 'automatic',
      jsxImportSource: 'preact',
      legalComments: 'none',
      logLevel: 'error',
    }),
    ...['index.html', 'view.css', 'icon.svg'].map((name) => copyFile(join(PAGE, name), join(outDir, name))),
  ]);
}
