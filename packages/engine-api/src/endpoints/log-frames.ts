/**
 * Output as the engine's stream of frames: eight bytes `[1|2, 0, 0, 0, length]` and one line behind each, with the time
 * and the task's details before it where they are asked for.
 */

import type { NodeId, ServiceLogChunk, TaskId } from '@skep/core';

/** A piece of a task's output. */
export type LogPiece = ServiceLogChunk;

/** How lines are written. */
export interface LogFrameOptions {
  /** Of a task with a terminal: no frames around the lines. */
  readonly isRaw: boolean;
  readonly details: boolean;
  readonly timestamps: boolean;
  readonly serviceOf: (task: TaskId) => string;
}

const HEADER_BYTES = 8;
const STREAMS = { stdout: 1, stderr: 2 } as const;
const NEW_LINE = 0x0a;

interface Tail {
  readonly piece: Pick<LogPiece, 'stream' | 'at' | 'taskId' | 'nodeId'>;
  readonly bytes: Uint8Array;
}

/** Makes frames of pieces. Half a line waits for its other half. */
export class LogFrames {
  readonly #options: LogFrameOptions;
  readonly #tails = new Map<string, Tail>();
  readonly #details = new Map<TaskId, string>();

  constructor(options: LogFrameOptions) {
    this.#options = options;
  }

  /** The frames of the lines that a piece completes. */
  take(piece: LogPiece): Buffer {
    const key = `${piece.taskId}/${piece.stream}`;
    const tail = this.#tails.get(key);
    const bytes = tail === undefined ? piece.data : Buffer.concat([tail.bytes, piece.data]);
    const frames: Uint8Array[] = [];
    let begin = 0;
    for (;;) {
      const end = bytes.indexOf(NEW_LINE, begin);
      if (end < 0) break;
      frames.push(
        ...this.#frame(begin === 0 ? (tail?.piece ?? piece) : piece, bytes.subarray(begin, end + 1)),
      );
      begin = end + 1;
    }
    if (begin === bytes.length) this.#tails.delete(key);
    else
      this.#tails.set(key, {
        piece: tail !== undefined && begin === 0 ? tail.piece : piece,
        bytes: bytes.slice(begin),
      });
    return Buffer.concat(frames);
  }

  /** What has no end of line, at the end of all. */
  rest(): Buffer {
    const frames = [...this.#tails.values()].flatMap(({ piece, bytes }) => this.#frame(piece, bytes));
    this.#tails.clear();
    return Buffer.concat(frames);
  }

  #frame(piece: Tail['piece'], line: Uint8Array): Uint8Array[] {
    const { isRaw, details, timestamps } = this.#options;
    const time = timestamps ? `${new Date(piece.at).toISOString()} ` : '';
    const prefix = Buffer.from(`${time}${details ? this.#detailsOf(piece.taskId, piece.nodeId) : ''}`);
    if (isRaw) return [prefix, line];
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt8(STREAMS[piece.stream], 0);
    header.writeUInt32BE(prefix.length + line.length, 4);
    return [header, prefix, line];
  }

  #detailsOf(taskId: TaskId, nodeId: NodeId): string {
    let details = this.#details.get(taskId);
    if (details === undefined) {
      const of = { 'node.id': nodeId, 'service.id': this.#options.serviceOf(taskId), 'task.id': taskId };
      const parts = Object.entries(of).map(([name, id]) => `com.docker.swarm.${name}=${id}`);
      details = `${parts.join(',')} `;
      this.#details.set(taskId, details);
    }
    return details;
  }
}
