/** A state machine that keeps every command as text, with its index. For tests. */

import type { AppliedCommand, MachineCapture, RaftStateMachine } from '../state-machine.ts';

/** Remembers all that was applied. */
export class KeepingMachine implements RaftStateMachine {
  /** Index and text of each command, in order. */
  applied: (readonly [index: number, text: string])[] = [];
  restores = 0;
  /** Asked before each command; throwing is refusing. */
  beforeApply: (text: string) => void = () => {};
  /** Bytes in one chunk of a snapshot. */
  chunkBytes = 1000;

  get texts(): string[] {
    return this.applied.map(([, text]) => text);
  }

  apply({ index, payload }: AppliedCommand): void {
    const text = new TextDecoder().decode(payload);
    this.beforeApply(text);
    this.applied.push([index, text]);
  }

  capture(): MachineCapture {
    const bytes = new TextEncoder().encode(JSON.stringify(this.applied));
    const { chunkBytes } = this;
    return {
      async *chunks() {
        for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
      },
      release: () => {},
    };
  }

  async restore(_index: number, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of chunks) text += decoder.decode(chunk, { stream: true });
    this.applied = JSON.parse(text);
    this.restores += 1;
  }
}
