/**
 * The replicated state of the simulation: registers by key. It remembers as well, as a hash, all that was ever applied
 * to it, and tells whoever judges of every command and of every restoration.
 */

import type { LogIndex } from '../../core/types.ts';
import type { AppliedCommand, MachineCapture, RaftStateMachine } from '../../node/state-machine.ts';
import { hashText } from '../seeded-random.ts';

/** A register is set. */
export interface SetCommand {
  readonly key: string;
  /** Never set twice: it names the command as well. */
  readonly value: number;
}

/** Everything that a machine is. */
export interface MachineState {
  readonly hash: number;
  /** The last command that was applied. */
  readonly last: LogIndex;
}

/** Judges what is applied. */
export interface MachineJudge {
  applied(index: LogIndex, command: SetCommand, after: MachineState): void;
  restored(index: LogIndex, state: MachineState): void;
}

const encoder = new TextEncoder();

/** A command as bytes. */
export function encodeSet({ key, value }: SetCommand): Uint8Array {
  return encoder.encode(JSON.stringify([key, value]));
}

/** Registers. Made for one process. */
export class RegisterMachine implements RaftStateMachine {
  readonly #judge: MachineJudge;
  readonly #chunkBytes: number;
  readonly #registers = new Map<string, number>();
  #hash = 0;
  #last: LogIndex = 0;

  constructor(judge: MachineJudge, chunkBytes: number) {
    this.#judge = judge;
    this.#chunkBytes = chunkBytes;
  }

  get state(): MachineState {
    return { hash: this.#hash, last: this.#last };
  }

  get(key: string): number | undefined {
    return this.#registers.get(key);
  }

  apply({ index, payload }: AppliedCommand): void {
    const text = new TextDecoder().decode(payload);
    const [key, value] = JSON.parse(text) as [string, number];
    this.#registers.set(key, value);
    this.#hash = hashText(`${index} ${text}`, this.#hash);
    this.#last = index;
    this.#judge.applied(index, { key, value }, this.state);
  }

  capture(): MachineCapture {
    const bytes = encoder.encode(JSON.stringify([this.#hash, this.#last, [...this.#registers]]));
    const chunkBytes = this.#chunkBytes;
    return {
      async *chunks() {
        for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
      },
      release: () => {},
    };
  }

  async restore(index: LogIndex, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    let text = '';
    for await (const chunk of chunks) text += decoder.decode(chunk, { stream: true });
    const [hash, last, registers] = JSON.parse(text) as [number, LogIndex, [string, number][]];
    this.#registers.clear();
    for (const [key, value] of registers) this.#registers.set(key, value);
    this.#hash = hash;
    this.#last = last;
    this.#judge.restored(index, this.state);
  }
}
