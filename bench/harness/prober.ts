/**
 * Attempts that go on through the loss of a leader, and remember when the first one succeeded that was begun after some
 * moment. Times are those of the machine's monotonic clock, which all processes share.
 */

/** Milliseconds on the clock that all processes of this machine share. */
export function sharedNow(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** What is tried, again and again. */
export interface ProberParts {
  /** Carries one out. Resolves to whether it was acknowledged; never rejects. */
  readonly attempt: (number: number) => Promise<boolean>;
  /** While it holds, closed loops go on. */
  readonly isRunning: () => boolean;
  /** How often a probe is begun, in ms, whether or not those before it are done. */
  readonly everyMs: number;
}

/** The load of one process, and its probes. */
export class Prober {
  readonly #parts: ProberParts;
  #number = 0;
  /** When each of the last probes was begun and acknowledged. */
  #acknowledged: { readonly begun: number; readonly at: number }[] = [];
  #waiting: { readonly since: number; readonly resolve: (at: number) => void }[] = [];

  constructor(parts: ProberParts) {
    this.#parts = parts;
  }

  /** Begins so many closed loops of load, and the probes beside them. They end with the process. */
  start(loops: number): void {
    const { attempt, isRunning, everyMs } = this.#parts;
    const loop = async () => {
      while (isRunning()) await attempt(this.#number++);
    };
    for (let at = 0; at < loops; at++) void loop();
    setInterval(() => void this.#probe(), everyMs);
  }

  /** When the first probe was acknowledged that was begun at `since` or later. */
  firstSince(since: number): Promise<number> {
    const known = this.#acknowledged.filter(({ begun }) => begun >= since).map(({ at }) => at);
    if (known.length > 0) return Promise.resolve(Math.min(...known));
    return new Promise((resolve) => this.#waiting.push({ since, resolve }));
  }

  async #probe(): Promise<void> {
    const begun = sharedNow();
    if (!(await this.#parts.attempt(this.#number++))) return;
    const at = sharedNow();
    this.#acknowledged.push({ begun, at });
    if (this.#acknowledged.length > 2000) this.#acknowledged = this.#acknowledged.slice(-1000);
    for (const { since, resolve } of this.#waiting) if (begun >= since) resolve(at);
    this.#waiting = this.#waiting.filter(({ since }) => begun < since);
  }
}
