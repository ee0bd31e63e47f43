/**
 * Which members the transport can reach, as the configuration has it. A member that was removed stays reachable for a
 * while, since it has to be told of its removal; after that it is forgotten for good.
 */

import { DEFAULT_OPTIONS } from '../core/options.ts';
import type { Configuration, MemberId } from '../core/types.ts';
import type { RaftNodeSettings } from './options.ts';

const DEPARTING_TICKS = DEFAULT_OPTIONS.departingTicks;

/** The addresses that one node has told its transport. */
export class MemberAddresses {
  readonly #settings: RaftNodeSettings;
  readonly #departing = new Map<MemberId, number>();

  constructor(settings: RaftNodeSettings) {
    this.#settings = settings;
  }

  /** The members are these from now on. */
  tell({ addresses, removed }: Configuration): void {
    const { transport, id, clock, tickMs } = this.#settings;
    for (const [member, address] of Object.entries(addresses)) {
      if (member === id) continue;
      transport.setAddress(member, address);
      this.#departing.delete(member);
    }
    // A removed member is told of its removal for a while, so it has to be reached for as long.
    const until = clock.monotonic() + 2 * DEPARTING_TICKS * tickMs;
    for (const member of removed) if (!this.#departing.has(member)) this.#departing.set(member, until);
  }

  /** Lets those go whose time is over at `now`, in ms of the node's clock. */
  forgetDeparted(now: number): void {
    for (const [member, until] of this.#departing) {
      if (now < until) continue;
      // It stays in the map: it was forgotten, and is never to be known again.
      this.#departing.set(member, Number.POSITIVE_INFINITY);
      this.#settings.transport.setAddress(member, undefined);
    }
  }
}
