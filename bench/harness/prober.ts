/**
 * Writes that go on through the loss of a leader, and remember when the first one was acknowledged that was begun after
 * some moment. Times are those of the machine's monotonic clock, which all processes share.
 */

import type { RaftNode } from '@skep/raft';

/** How often one is begun, whether or not those before it are done. */
const PROBE_MS = 5;

/** Milliseconds on the clock that all processes of this machine share. */
export function sharedNow(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** The load of one member, and its probes. */
export class Prober {
  readonly #node: RaftNode;
  readonly #command: (key: number) => Uint8Array;
  /** When each of the last probes was begun and acknowledged. */
  #acknowledged: { readonly begun: number; readonly at: number }[] = [];
  #waiting: { readonly since: number; readonly resolve: (at: number) => void }[] = [];

  constructor(node: RaftNode, command: (key: number) => Uint8Array) {
    this.#node = node;
    this.#command = command;
  }

  /** Begins so many closed loops of load, and the probes beside them. They end with the process. */
  start(loops: number): void {
    const loop = async () => {
      for (let key = 0; this.#node.state === 'running'; key++) await this.#node.propose(this.#command(key));
    };
    for (let at = 0; at < loops; at++) void loop();
    setInterval(() => void this.#probe(), PROBE_MS);
  }

  /** When the first probe was acknowledged that was begun at `since` or later. */
  firstSince(since: number): Promise<number> {
    const known = this.#acknowledged.filter(({ begun }) => begun >= since).map(({ at }) => at);
    if (known.length > 0) return Promise.resolve(Math.min(...known));
    return new Promise((resolve) => this.#waiting.push({ since, resolve }));
  }

  async #probe(): Promise<void> {
    const begun = sharedNow();
    const { kind } = await this.#node.propose(this.#command(0));
    if (kind !== 'committed') return;
    const at = sharedNow();
    this.#acknowledged.push({ begun, at });
    if (this.#acknowledged.length > 2000) this.#acknowledged = this.#acknowledged.slice(-1000);
    for (const { since, resolve } of this.#waiting) if (begun >= since) resolve(at);
    this.#waiting = this.#waiting.filter(({ since }) => begun < since);
  }
}
