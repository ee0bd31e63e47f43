/**
 * A file of a simulated disk, apart from its name: what programs see, what is durable, and the changes in between, of
 * which a power cut keeps any sectors, whole or torn.
 */

import type { Random } from '../../core/types.ts';

const SECTOR_BYTES = 512;

/** A change of a file that is not synced: what it writes, or undefined for a change of length alone. */
export interface Change {
  readonly offset: number;
  readonly bytes?: Uint8Array;
}

/** One file. */
export class Inode {
  seen: Uint8Array = new Uint8Array(0);
  durable: Uint8Array = new Uint8Array(0);
  changes: Change[] = [];

  change(change: Change): void {
    this.seen = changed(this.seen, change);
    this.changes.push(change);
  }

  /** All changes so far become durable. What a failed sync has dropped does not, though it reads well. */
  sync(): void {
    for (const change of this.changes) this.durable = changed(this.durable, change);
    this.changes = [];
  }

  /** These bytes are its contents, durably. */
  replace(contents: Uint8Array): void {
    this.seen = new Uint8Array(contents);
    this.durable = this.seen.slice();
    this.changes = [];
  }

  /** A bit of what is durable turns over, and with it what is read. */
  flip(offset: number, bit: number): void {
    for (const image of [this.seen, this.durable]) {
      const byte = image[offset];
      if (byte !== undefined) image[offset] = byte ^ (1 << bit);
    }
  }

  crash(random: Random): void {
    const odds = random.next();
    let image = this.durable;
    for (const change of this.changes) {
      if (change.bytes === undefined) {
        if (random.next() < odds) image = changed(image, change);
        continue;
      }
      for (const sector of sectorsOf(change.offset, change.bytes)) {
        if (random.next() >= odds) {
          // The length may have grown although the data never came.
          if (random.next() < 0.1)
            image = changed(image, { ...sector, bytes: leftover(image, sector, random) });
          continue;
        }
        const whole = random.next() >= 0.1;
        const kept = whole ? sector.bytes.length : Math.floor(random.next() * sector.bytes.length);
        image = changed(image, { offset: sector.offset, bytes: sector.bytes.subarray(0, kept) });
      }
    }
    this.durable = image;
    this.seen = image.slice();
    this.changes = [];
  }
}

function changed(image: Uint8Array, { offset, bytes }: Change): Uint8Array {
  const length = bytes === undefined ? offset : Math.max(image.length, offset + bytes.length);
  let next = image;
  if (length < image.length) next = image.slice(0, length);
  else if (length > image.length) {
    next = new Uint8Array(length);
    next.set(image);
  }
  if (bytes !== undefined && next === image) next = image.slice();
  if (bytes !== undefined) next.set(bytes, offset);
  return next;
}

/** What stands in a sector whose data did not come: what was there before, then zeroes or garbage. */
function leftover(
  image: Uint8Array,
  sector: { offset: number; bytes: Uint8Array },
  random: Random,
): Uint8Array {
  const isGarbage = random.next() < 0.5;
  return sector.bytes.map(
    (_, at) => image[sector.offset + at] ?? (isGarbage ? Math.floor(random.next() * 256) : 0),
  );
}

function* sectorsOf(offset: number, bytes: Uint8Array): Generator<{ offset: number; bytes: Uint8Array }> {
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(bytes.length, at + SECTOR_BYTES - ((offset + at) % SECTOR_BYTES));
    yield { offset: offset + at, bytes: bytes.subarray(at, end) };
    at = end;
  }
}
