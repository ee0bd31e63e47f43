/** How the packages are built: what all of their tsup.config.ts have in common. */

import type { Options } from 'tsup';

/** A package for Node. Built after those that it stands on: their types come from their dist, as a consumer sees them. */
export const forNode = {
  format: 'esm',
  target: 'node20',
  platform: 'node',
  // A class that two entries share exists once: it is in a chunk of its own.
  splitting: true,
  sourcemap: true,
  clean: true,
  removeNodeProtocol: false,
  dts: { compilerOptions: { ignoreDeprecations: '6.0', customConditions: [] } },
} satisfies Options;

/** A package for browsers, too: what it needs of Node it reaches by an entry that says so. */
export const forAnywhere = {
  ...forNode,
  target: 'es2023',
  platform: 'neutral',
  external: [/^@skep\//, /^node:/],
} satisfies Options;
