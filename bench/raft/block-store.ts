/**
 * The state under the benchmark: values of one size under numbered keys, in blocks that a capture shares. Writing to a
 * block that a capture holds copies it, so that a capture costs a list of references, however large the state is.
 */

import type { AppliedCommand, MachineCapture, RaftStateMachine } from '@skep/raft';

/** Bytes of a key in a command, before its value. */
export const KEY_BYTES = 8;

const BLOCK_VALUES = 256;

/** Values by key. */
export class BlockStore implements RaftStateMachine {
  readonly #valueBytes: number;
  readonly #keys: number;
  #blocks: Uint8Array[];
  /** Blocks that no capture holds. */
  #own = new Set<number>();
  applied = 0;

  constructor(keys: number, valueBytes: number) {
    this.#keys = keys;
    this.#valueBytes = valueBytes;
    this.#blocks = Array.from({ length: Math.ceil(keys / BLOCK_VALUES) }, () => new Uint8Array(0));
  }

  get(key: number): Uint8Array {
    const at = (key % BLOCK_VALUES) * this.#valueBytes;
    const block = this.#blocks[Math.floor(key / BLOCK_VALUES)] ?? new Uint8Array(0);
    return block.subarray(at, at + this.#valueBytes);
  }

  apply({ index, payload }: AppliedCommand): void {
    this.applied = index;
    const key = keyOf(payload) % this.#keys;
    const number = Math.floor(key / BLOCK_VALUES);
    const block = this.#owned(number);
    block.set(
      payload.subarray(KEY_BYTES, KEY_BYTES + this.#valueBytes),
      (key % BLOCK_VALUES) * this.#valueBytes,
    );
  }

  capture(): MachineCapture {
    const blocks = this.#blocks.slice();
    this.#own = new Set();
    return {
      async *chunks() {
        for (const block of blocks) if (block.length > 0) yield block;
      },
      release: () => {},
    };
  }

  async restore(_index: number, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const blockBytes = BLOCK_VALUES * this.#valueBytes;
    const blocks: Uint8Array[] = [];
    let block = new Uint8Array(blockBytes);
    let filled = 0;
    for await (const chunk of chunks) {
      for (let at = 0; at < chunk.length; ) {
        const part = chunk.subarray(at, at + blockBytes - filled);
        block.set(part, filled);
        filled += part.length;
        at += part.length;
        if (filled < blockBytes) continue;
        blocks.push(block);
        block = new Uint8Array(blockBytes);
        filled = 0;
      }
    }
    while (blocks.length < this.#blocks.length) blocks.push(new Uint8Array(0));
    this.#blocks = blocks;
    this.#own = new Set();
  }

  #owned(number: number): Uint8Array {
    const known = this.#blocks[number];
    if (known !== undefined && this.#own.has(number)) return known;
    const block = new Uint8Array(BLOCK_VALUES * this.#valueBytes);
    if (known !== undefined) block.set(known);
    this.#blocks[number] = block;
    this.#own.add(number);
    return block;
  }
}

/** The last four bytes of a command's key. Without a view, since a restart applies a million of them. */
function keyOf(payload: Uint8Array): number {
  let key = 0;
  for (let at = KEY_BYTES - 4; at < KEY_BYTES; at++) key = key * 256 + (payload[at] ?? 0);
  return key;
}

/** A command that puts a value of random bytes under a key. */
export function putCommand(key: number, value: Uint8Array): Uint8Array {
  const command = new Uint8Array(KEY_BYTES + value.length);
  new DataView(command.buffer).setUint32(4, key);
  command.set(value, KEY_BYTES);
  return command;
}
