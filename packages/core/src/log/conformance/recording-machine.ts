/**
 * The state under a log in tests: it remembers each entry, and sums all up in a digest that two machines share only
 * if they saw the same entries in the same order.
 */

import type { Entry, LogStateMachine, Position, StateCapture } from '../event-log.ts';

/** One applied entry, as it is kept and written to snapshots. */
interface Applied {
  readonly position: Position;
  readonly text: string;
}

const LINES_PER_CHUNK = 100;

/** Remembers all that was applied. */
export class RecordingMachine implements LogStateMachine {
  /** Entries applied since this machine was made, not counting restored ones. */
  readonly entries: Entry[] = [];
  /** Captures that were taken and not released. */
  heldCaptures = 0;
  /** How often a snapshot was restored. */
  restores = 0;
  /** Told when a capture is taken. */
  onCapture: () => void = () => {};
  /** Holds back the last chunk of snapshots until it resolves. */
  beforeLastChunk: Promise<void> = Promise.resolve();
  /** Asked before each entry; throwing is refusing. */
  beforeApply: (entry: Entry) => void = () => {};
  /** Only ever appended to, so that a length is an immutable view of it. Replaced as a whole by a restore. */
  #applied: Applied[] = [];
  #position: Position = 0;

  /** The position of the last entry that the state holds. */
  get position(): Position {
    return this.#position;
  }

  /** How many entries the state holds, restored ones among them. */
  get count(): number {
    return this.#applied.length;
  }

  /** What was applied, as text, restored entries among it. */
  get payloads(): string[] {
    return this.#applied.map(({ text }) => text);
  }

  /** Sums up the whole state: FNV-1a over positions and payloads. */
  digest(): string {
    let hash = 0x811c9dc5;
    const mix = (value: number) => {
      hash = Math.imul(hash ^ value, 0x01000193);
    };
    for (const { position, text } of this.#applied) {
      mix(position);
      for (let index = 0; index < text.length; index++) mix(text.charCodeAt(index));
    }
    return `${this.#applied.length}:${(hash >>> 0).toString(16)}`;
  }

  apply(entry: Entry): void {
    this.beforeApply(entry);
    this.entries.push(entry);
    this.#applied.push({ position: entry.position, text: toText(entry.payload) });
    this.#position = entry.position;
  }

  capture(): StateCapture {
    const applied = this.#applied;
    const { length } = applied;
    const beforeLast = this.beforeLastChunk;
    let held = true;
    this.heldCaptures += 1;
    this.onCapture();
    return {
      position: this.#position,
      async *chunks() {
        for (let from = 0; from < length; from += LINES_PER_CHUNK) {
          const lines = applied.slice(from, Math.min(length, from + LINES_PER_CHUNK));
          yield new TextEncoder().encode(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
        }
        await beforeLast;
        yield new TextEncoder().encode(`${JSON.stringify({ total: length })}\n`);
      },
      release: () => {
        if (held) this.heldCaptures -= 1;
        held = false;
      },
    };
  }

  async restore(position: Position, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of chunks) text += decoder.decode(chunk, { stream: true });
    const lines: unknown[] = text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
    const applied = lines.filter(isApplied);
    const total = lines.at(-1);
    if (
      typeof total !== 'object' ||
      total === null ||
      !('total' in total) ||
      total.total !== applied.length
    ) {
      throw new Error(
        'a snapshot must be given to restore whole, in the order in which its chunks were written',
      );
    }
    this.#applied = applied;
    this.#position = position;
    this.restores += 1;
  }
}

function isApplied(line: unknown): line is Applied {
  return typeof line === 'object' && line !== null && 'position' in line && 'text' in line;
}

/** Payloads in tests are text; long ones are summed up by length and ends. */
function toText(payload: Uint8Array): string {
  if (payload.length <= 1000) return new TextDecoder().decode(payload);
  return `${payload.length} bytes from ${payload[0]} to ${payload.at(-1)}`;
}
