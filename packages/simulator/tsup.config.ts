import { defineConfig } from 'tsup';

// Built after core and Raft: their types come from their dist, as a consumer sees them.
export default defineConfig({
  entry: { index: 'src/index.ts' },
  format: 'esm',
  target: 'es2023',
  platform: 'neutral',
  splitting: true,
  sourcemap: true,
  clean: true,
  removeNodeProtocol: false,
  external: [/^@skep\//, /^node:/],
  dts: { compilerOptions: { ignoreDeprecations: '6.0', customConditions: [] } },
});
