import { join } from 'node:path';
import { defineConfig } from 'tsup';
import { forNode } from '../../tsup.base.ts';
import { buildPage } from './build-page.ts';

export default defineConfig({
  ...forNode,
  entry: { index: 'src/index.ts', node: 'src/node.ts' },
  onSuccess: () => buildPage(join(import.meta.dirname, 'dist', 'page')),
});
