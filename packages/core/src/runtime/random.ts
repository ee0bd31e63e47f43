/** Randomness as a port: ids and jitter come from here, so that one seed gives one run. */

/** A source of random numbers. */
export interface Random {
  /** A float in [0, 1). */
  next(): number;
  /** `length` random bytes, fit for ids and tokens when the source is the system's. */
  bytes(length: number): Uint8Array;
}

/** A repeatable source for simulations and tests. Not for secrets. Algorithm: sfc32 (Doty-Humphrey, PractRand). */
export function seededRandom(seed: number): Random {
  let a = 0x9e3779b9;
  let b = 0x243f6a88;
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
  return {
    next: () => word() / 2 ** 32,
    bytes: (length) => {
      const bytes = new Uint8Array(length);
      for (let at = 0; at < length; at++) bytes[at] = word() & 0xff;
      return bytes;
    },
  };
}
