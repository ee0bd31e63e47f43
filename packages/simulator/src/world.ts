/** What all parts of a simulated cluster share: the clock, the doors of the processes, the seed, and the trace. */

import type { Logger } from '@skep/core';
import { type SimulatedClock, silentLogger } from '@skep/core/testing';
import { hashText } from '@skep/raft/simulator';
import { Gates } from './gate.ts';

/** Hears of lines that managers and agents log. */
export type LogLine = (source: string, level: string, fields: object, message: string) => void;

/** One simulated world. */
export class World {
  readonly seed: number;
  readonly clock: SimulatedClock;
  readonly gates: Gates;
  readonly #onLog: LogLine | undefined;
  readonly #lines: string[] = [];
  #hash = hashText('');

  constructor(seed: number, clock: SimulatedClock, onLog?: LogLine) {
    this.seed = seed;
    this.clock = clock;
    this.gates = new Gates(clock);
    this.#onLog = onLog;
  }

  /** Everything that happened, a line each, with its virtual time in seconds. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  /** A checksum over the trace: two runs of one seed have the same. */
  get hash(): number {
    return this.#hash;
  }

  note(what: string): void {
    const line = `${(this.clock.monotonic() / 1000).toFixed(3).padStart(10)}  ${what}`;
    this.#hash = hashText(line, this.#hash);
    this.#lines.push(line);
  }

  /** The logger of a process. */
  loggerOf(source: string): Logger {
    const onLog = this.#onLog;
    if (onLog === undefined) return silentLogger;
    const make = (context: object): Logger => {
      const at = (level: string) => (fields: object, message: string) =>
        onLog(source, level, { ...context, ...fields }, message);
      return {
        debug: at('debug'),
        info: at('info'),
        warn: at('warn'),
        error: at('error'),
        child: (fields) => make({ ...context, ...fields }),
      };
    };
    return make({});
  }
}
