/**
 * Damage to frames on the wire: cut short, longer than they were, bits flipped, or nothing but noise. Such a frame is
 * refused where it arrives, and its connection ends, as over TCP. One that still reads as a frame would get past any
 * decoder, and is dropped here as the seal of TLS drops it.
 */

import { decodeFrame } from '../../transport/frame.ts';
import type { RandomStream } from '../seeded-random.ts';
import type { Tally } from '../tally.ts';

/** The bytes of a frame as they arrive; undefined if they do not. */
export type WireDamage = (bytes: Uint8Array) => Uint8Array | undefined;

/** Damages this share of the frames of one simulation. */
export function wireDamage(chance: number, random: RandomStream, tally: Tally): WireDamage {
  return (bytes) => {
    if (!random.chance(chance)) return bytes;
    const damaged = damage(bytes, random);
    tally.add('frames damaged on the wire');
    try {
      decodeFrame(damaged);
      return undefined;
    } catch {
      // Whether it is refused as it has to be, its receiver shows.
      return damaged;
    }
  };
}

function damage(bytes: Uint8Array, random: RandomStream): Uint8Array {
  const noise = (length: number) => Uint8Array.from({ length }, () => random.between(0, 255));
  switch (random.between(0, 3)) {
    case 0:
      return bytes.slice(0, random.between(0, bytes.length - 1));
    case 1:
      return new Uint8Array([...bytes, ...noise(random.between(1, 8))]);
    case 2:
      return noise(random.between(1, 80));
    default: {
      const flipped = bytes.slice();
      for (let count = random.between(1, 4); count > 0; count--) {
        const at = random.between(0, flipped.length - 1);
        flipped[at] = (flipped[at] ?? 0) ^ (1 << random.between(0, 7));
      }
      return flipped;
    }
  }
}
