/**
 * Walks the bytes of a message before they are decoded, and refuses what a decoder would trip over: lengths that the
 * bytes can't hold (a decoder sets room aside first, and five bytes could ask for gigabytes), nesting without end,
 * kinds that no message of ours has, keys that name an object's prototype. The format is MessagePack.
 */

import { NodeError } from '../errors.ts';

const DEPTH_MAX = 64;
const PROTOTYPE_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/** The one extension in use: `undefined`, as msgpackr writes it. */
const UNDEFINED_EXTENSION = 0;

/** Values of one length: nil, false, true, floats, unsigned and signed whole numbers. */
const FIXED_BYTES: ReadonlyMap<number, number> = new Map([
  ...([0xc0, 0xc2, 0xc3] as const).map((tag) => [tag, 0] as const),
  ...([0xcc, 0xd0] as const).map((tag) => [tag, 1] as const),
  ...([0xcd, 0xd1] as const).map((tag) => [tag, 2] as const),
  ...([0xca, 0xce, 0xd2] as const).map((tag) => [tag, 4] as const),
  ...([0xcb, 0xcf, 0xd3] as const).map((tag) => [tag, 8] as const),
]);

/** Bytes and texts, by how many bytes their length takes. */
const BLOB_LENGTH_BYTES: ReadonlyMap<number, 1 | 2 | 4> = new Map([
  [0xc4, 1],
  [0xd9, 1],
  [0xc5, 2],
  [0xda, 2],
  [0xc6, 4],
  [0xdb, 4],
]);

/** @throws NodeError `MALFORMED` */
export function checkMessage(bytes: Uint8Array): void {
  const walker = new Walker(bytes);
  walker.value(0);
  if (!walker.isAtEnd) throw malformed('has bytes left over');
}

class Walker {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  value(depth: number): void {
    if (depth > DEPTH_MAX) throw malformed(`is nested more than ${DEPTH_MAX} deep`);
    const tag = this.#length(1);
    if (tag <= 0x7f || tag >= 0xe0) return;
    if (tag <= 0x8f) this.#map(tag & 0x0f, depth);
    else if (tag <= 0x9f) this.#array(tag & 0x0f, depth);
    else if (tag <= 0xbf) this.#skip(tag & 0x1f);
    else this.#tagged(tag, depth);
  }

  #tagged(tag: number, depth: number): void {
    const fixed = FIXED_BYTES.get(tag);
    const blob = BLOB_LENGTH_BYTES.get(tag);
    if (fixed !== undefined) this.#skip(fixed);
    else if (blob !== undefined) this.#skip(this.#length(blob));
    else if (tag === 0xdc) this.#array(this.#length(2), depth);
    else if (tag === 0xdd) this.#array(this.#length(4), depth);
    else if (tag === 0xde) this.#map(this.#length(2), depth);
    else if (tag === 0xdf) this.#map(this.#length(4), depth);
    else if (tag === 0xd4 && this.#length(1) === UNDEFINED_EXTENSION) this.#skip(1);
    else throw malformed('holds a kind of value that no message has');
  }

  #array(length: number, depth: number): void {
    this.#fits(length);
    for (let left = length; left > 0; left--) this.value(depth + 1);
  }

  #map(length: number, depth: number): void {
    this.#fits(2 * length);
    for (let left = length; left > 0; left--) {
      this.#key();
      this.value(depth + 1);
    }
  }

  #key(): void {
    const tag = this.#length(1);
    let length: number;
    if (tag >= 0xa0 && tag <= 0xbf) length = tag & 0x1f;
    else if (tag === 0xd9) length = this.#length(1);
    else if (tag === 0xda) length = this.#length(2);
    else throw malformed('has a key that is no text');
    const start = this.#at;
    this.#skip(length);
    if (length > 11) return;
    const key = String.fromCharCode(...this.#bytes.subarray(start, this.#at));
    if (PROTOTYPE_KEYS.has(key)) throw malformed('has a key that no message has');
  }

  #length(bytes: 1 | 2 | 4): number {
    const at = this.#at;
    this.#skip(bytes);
    if (bytes === 1) return this.#view.getUint8(at);
    return bytes === 2 ? this.#view.getUint16(at) : this.#view.getUint32(at);
  }

  #skip(bytes: number): void {
    this.#fits(bytes);
    this.#at += bytes;
  }

  /** Whatever is announced takes a byte at least for each of its parts. */
  #fits(bytes: number): void {
    if (bytes > this.#bytes.length - this.#at) throw malformed('is cut short');
  }
}

function malformed(what: string): NodeError {
  return new NodeError('MALFORMED', `a message ${what}`);
}
