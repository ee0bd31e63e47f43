import { defineConfig } from 'tsup';
import { forAnywhere } from '../../tsup.base.ts';

// One build for all entries, so that a class shared by two of them exists once (esbuild's splitting puts it in
// a chunk). '@skep/core/file' and '@skep/core/node' are loaded by the main entry with a dynamic import of the
// package's own name: kept external, they leave dist/index.js free of Node.
export default defineConfig({
  ...forAnywhere,
  entry: {
    index: 'src/index.ts',
    'log/index': 'src/log/index.ts',
    'log/conformance': 'src/log/conformance.ts',
    'file/index': 'src/file/index.ts',
    'file/browser': 'src/file/browser.ts',
    'node/index': 'src/node/index.ts',
    'node/browser': 'src/node/browser.ts',
    'member/index': 'src/member/index.ts',
    'driver/index': 'src/driver/index.ts',
    'driver/conformance': 'src/driver/conformance.ts',
    'testing/index': 'src/testing/index.ts',
  },
  target: 'es2022',
  dts: { compilerOptions: { ignoreDeprecations: '6.0' } },
});
