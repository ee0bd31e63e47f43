/** Who reaches whom: cuts and delays between the processes of a simulated cluster, by their names. */

import type { Clock } from '@skep/core';
import type { RandomStream } from '@skep/raft/simulator';
import type { Gates } from './gate.ts';

/** The least and the most that a message is under way, in milliseconds. */
export type LatencyRange = readonly [leastMs: number, mostMs: number];

/** The wires. Cuts are counted, not nested: {@link Links.heal} undoes all of them. */
export class Links {
  readonly #clock: Clock;
  readonly #random: RandomStream;
  readonly #latency: LatencyRange;
  readonly #gates: Gates;
  readonly #cut = new Set<string>();
  #slowness = 1;

  constructor(parts: {
    readonly clock: Clock;
    readonly random: RandomStream;
    readonly latency: LatencyRange;
    readonly gates: Gates;
  }) {
    this.#clock = parts.clock;
    this.#random = parts.random;
    this.#latency = parts.latency;
    this.#gates = parts.gates;
  }

  /** How long the next message is under way, in milliseconds. */
  get latencyMs(): number {
    const [least, most] = this.#latency;
    return (least + this.#random.next() * (most - least)) * this.#slowness;
  }

  /** Every message takes so many times as long from now on; 1 is the usual. */
  slowDown(factor: number): void {
    this.#slowness = factor;
  }

  /** Nothing passes from one to the other; the way back stays as it is. */
  cut(from: string, to: string): void {
    this.#cut.add(`${from} ${to}`);
  }

  /** Everything passes again. */
  heal(): void {
    this.#cut.clear();
  }

  isCut(from: string, to: string): boolean {
    return this.#cut.has(`${from} ${to}`);
  }

  /** Lets something travel. A cut at its leaving or at its arrival loses it. */
  carry(from: string, to: string, arrived: () => void, lost: () => void): void {
    if (this.isCut(from, to)) {
      lost();
      return;
    }
    this.#clock.setTimer(this.latencyMs, () => {
      if (this.isCut(from, to)) lost();
      else this.entered(to, arrived);
    });
  }

  /** Has something happen at a process: now, or when it goes on, if it stands still. */
  entered(at: string, happen: () => void): void {
    this.#gates.of(at).pass(happen);
  }
}
