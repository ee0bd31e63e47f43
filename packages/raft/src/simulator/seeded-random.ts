/**
 * Randomness from one seed, split by name: each kind of fault draws from its own stream, so that leaving one kind out
 * does not shuffle the others. Algorithm: sfc32 (Doty-Humphrey, PractRand), seeded through FNV-1a.
 */

import type { Random } from '../core/types.ts';

/** A stream of random numbers with the few shapes that a simulation needs. */
export interface RandomStream extends Random {
  /** A whole number from `least` to `most`, both included. */
  between(least: number, most: number): number;
  /** True with this probability. */
  chance(probability: number): boolean;
  /** One of them; undefined if there is none. */
  pick<T>(items: readonly T[]): T | undefined;
  /** Exponentially distributed around `mean`, a whole number. */
  exponential(mean: number): number;
}

/** FNV-1a over the text's UTF-16 units, 32 bits. */
export function hashText(text: string, start = 0x811c9dc5): number {
  let hash = start;
  for (let at = 0; at < text.length; at++) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  return hash >>> 0;
}

/** The stream `name` of a seed. */
export function randomStream(seed: number, name: string): RandomStream {
  let a = hashText(name);
  let b = hashText(name, seed >>> 0);
  let c = seed | 0;
  let counter = 1;
  const word = () => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
  for (let round = 0; round < 12; round++) word();
  const next = () => word() / 2 ** 32;
  return {
    next,
    between: (least, most) => least + Math.floor(next() * (most - least + 1)),
    chance: (probability) => next() < probability,
    pick: (items) => items[Math.floor(next() * items.length)],
    exponential: (mean) => Math.round(-Math.log(1 - next()) * mean),
  };
}
