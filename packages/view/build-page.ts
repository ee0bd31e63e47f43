/** Puts the page together: one script, one style sheet, nothing from elsewhere. */

import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';

const PAGE = join(import.meta.dirname, 'src', 'page');

/** What another page is made of. */
export interface PageOptions {
  /** The script to begin with. Default: the page of a server. */
  readonly entry?: string;
  /** Modules to take in place of others, by name. */
  readonly alias?: Readonly<Record<string, string>>;
}

/** Writes the page's files to a directory. */
export async function buildPage(outDir: string, options: PageOptions = {}): Promise<void> {
  const { entry = join(PAGE, 'main.tsx'), alias = {} } = options;
  await mkdir(outDir, { recursive: true });
  await Promise.all([
    build({
      entryPoints: [{ in: entry, out: 'view' }],
      outdir: outDir,
      bundle: true,
      alias: { ...alias },
      minify: true,
      format: 'iife',
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
