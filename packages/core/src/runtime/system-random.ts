/** The host's cryptographic randomness. The only place in core that asks for it. */

import type { Random } from './random.ts';

const POOL_BYTES = 4096;

function createSystemRandom(): Random {
  // One call into the host costs as much for 4 KiB as for 16 bytes, and every id needs a few.
  let pool = new Uint8Array(0);
  let used = 0;
  const bytes = (length: number): Uint8Array => {
    if (length > POOL_BYTES) return crypto.getRandomValues(new Uint8Array(length));
    if (used + length > pool.length) {
      pool = crypto.getRandomValues(new Uint8Array(POOL_BYTES));
      used = 0;
    }
    const taken = pool.slice(used, used + length);
    pool.fill(0, used, used + length);
    used += length;
    return taken;
  };
  return {
    bytes,
    next: () => {
      const [a = 0, b = 0, c = 0, d = 0] = bytes(4);
      return ((a << 24) | (b << 16) | (c << 8) | d) / 2 ** 32 + (a >= 128 ? 1 : 0);
    },
  };
}

/** The system's random source. */
export const systemRandom: Random = createSystemRandom();
