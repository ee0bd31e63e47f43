import { defineConfig } from 'vitest/config';

// Tests run on the sources: the '@skep/source' condition of each package's exports wins over dist.
const conditions = ['@skep/source', 'module', 'node', 'development|production'];
const report = process.env['SKEP_TEST_REPORT'];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: [
      'packages/*/src/**/*.test.ts',
      'examples/**/*.test.ts',
      'bench/**/*.test.ts',
      'test/**/*.test.ts',
    ],
    environment: 'node',
    setupFiles: ['test/setup/property-seed.ts'],
    maxWorkers: '100%',
    // Long enough for a busy machine: what a test asserts never depends on it.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
  },
});
