import { defineConfig } from 'tsup';

// Built after core: the types of '@skep/core' come from its dist, as a consumer sees them. One build for all entries,
// so that a class shared by two of them exists once.
export default defineConfig({
  entry: {
    index: 'src/index.ts',
    'event-log/index': 'src/event-log/index.ts',
    'tcp-transport/index': 'src/adapters/tcp-transport/index.ts',
    'file-storage/index': 'src/adapters/file-storage/index.ts',
    'linearizability/index': 'src/linearizability/index.ts',
    'simulator/index': 'src/simulator/index.ts',
  },
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
