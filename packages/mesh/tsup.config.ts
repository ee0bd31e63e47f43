import { defineConfig } from 'tsup';

// Built after core: the types of '@skep/core' come from its dist, as a consumer sees them.
export default defineConfig({
  entry: { index: 'src/index.ts' },
  format: 'esm',
  target: 'node20',
  platform: 'node',
  splitting: true,
  sourcemap: true,
  clean: true,
  removeNodeProtocol: false,
  dts: { compilerOptions: { ignoreDeprecations: '6.0', customConditions: [] } },
});
