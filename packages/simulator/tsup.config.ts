import { defineConfig } from 'tsup';
import { forAnywhere } from '../../tsup.base.ts';

export default defineConfig({
  ...forAnywhere,
  entry: { index: 'src/index.ts' },
});
