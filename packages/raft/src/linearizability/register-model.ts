/** Registers, each under a key: the object that most checks of stores are about. */

import type { Model } from './model.ts';

/** What a client may ask of a register. Values are texts; `null` is that of a register never written. */
export type RegisterInput =
  | { readonly kind: 'read'; readonly key: string }
  | { readonly kind: 'write'; readonly key: string; readonly value: string | null }
  | {
      readonly kind: 'compare-and-swap';
      readonly key: string;
      readonly expected: string | null;
      readonly value: string | null;
    };

/** What it answers. */
export type RegisterOutput =
  | { readonly kind: 'value'; readonly value: string | null }
  | { readonly kind: 'written' }
  | { readonly kind: 'swapped'; readonly swapped: boolean };

/** Read, write, and compare-and-swap; the keys don't depend on one another. */
export const registerModel: Model<string | null, RegisterInput, RegisterOutput> = {
  initial: null,
  step(state, input, output) {
    switch (input.kind) {
      case 'read':
        return output === undefined || (output.kind === 'value' && output.value === state)
          ? state
          : undefined;
      case 'write':
        return output === undefined || output.kind === 'written' ? input.value : undefined;
      case 'compare-and-swap': {
        const swapped = state === input.expected;
        if (output !== undefined && (output.kind !== 'swapped' || output.swapped !== swapped))
          return undefined;
        return swapped ? input.value : state;
      }
    }
  },
  keyOf: (state) => (state === null ? '-' : `=${state}`),
  partitionOf: ({ key }) => key,
  overwrites: ({ kind }) => kind === 'write',
  describe(input, output) {
    const answer = output === undefined ? 'unknown' : describeOutput(output);
    switch (input.kind) {
      case 'read':
        return `read ${input.key} -> ${answer}`;
      case 'write':
        return `write ${input.key} = ${input.value} -> ${answer}`;
      case 'compare-and-swap':
        return `swap ${input.key} from ${input.expected} to ${input.value} -> ${answer}`;
    }
  },
};

function describeOutput(output: RegisterOutput): string {
  switch (output.kind) {
    case 'value':
      return `${output.value}`;
    case 'written':
      return 'written';
    case 'swapped':
      return output.swapped ? 'swapped' : 'not swapped';
  }
}
