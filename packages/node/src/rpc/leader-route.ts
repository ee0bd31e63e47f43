/** The way from a manager to the one that leads, kept open for as long as that one does. */

import type { ClientHttp2Stream, OutgoingHttpHeaders } from 'node:http2';
import type { Clock, ClusterId, NodeId } from '@skep/core';
import { sleep } from '@skep/core/member';
import { NodeError } from '../errors.ts';
import type { Credentials } from '../security/credentials.ts';
import { RpcChannel } from './channel.ts';
import type { LeaderRoute } from './relay.ts';

/** Who leads, as this manager knows. */
export type LeaderPlace =
  | { readonly kind: 'here' }
  | { readonly kind: 'there'; readonly nodeId: NodeId; readonly address: string }
  /** Nobody is known to lead just now. */
  | { readonly kind: 'unknown' };

/** What a route is made of. */
export interface LeaderChannelParts {
  readonly place: () => LeaderPlace;
  readonly clusterId: ClusterId;
  readonly credentials: Credentials;
  readonly clock: Clock;
}

/** While an election is on, a call waits so long for its outcome, in ms; and looks so often. */
const ELECTION_MS = 3_000;
const LOOK_MS = 20;

/** The channel to the leader. */
export class LeaderChannel implements LeaderRoute {
  readonly #parts: LeaderChannelParts;
  readonly #stopFollowing: () => void;
  #channel: { readonly nodeId: NodeId; readonly channel: RpcChannel } | undefined;

  constructor(parts: LeaderChannelParts) {
    this.#parts = parts;
    this.#stopFollowing = parts.credentials.onChange(() => this.#channel?.channel.renew());
  }

  get isLeader(): boolean {
    return this.#parts.place().kind === 'here';
  }

  async open(headers: OutgoingHttpHeaders, signal: AbortSignal): Promise<ClientHttp2Stream> {
    return (await this.channel(signal)).open(headers, signal);
  }

  /** The channel to the manager that leads. @throws NodeError `NOT_LEADER` if it is this one, or none is known. */
  async channel(signal?: AbortSignal): Promise<RpcChannel> {
    const { clock, place } = this.#parts;
    const end = clock.monotonic() + ELECTION_MS;
    let now = place();
    while (now.kind === 'unknown' && clock.monotonic() < end) {
      await sleep(clock, LOOK_MS, signal);
      now = place();
    }
    if (now.kind === 'there') return this.#to(now);
    const told = now.kind === 'here' ? 'this manager leads now' : 'no manager is known to lead just now';
    throw new NodeError('NOT_LEADER', told);
  }

  close(): void {
    this.#stopFollowing();
    this.#channel?.channel.close();
  }

  #to({ nodeId, address }: { readonly nodeId: NodeId; readonly address: string }): RpcChannel {
    const known = this.#channel;
    if (known?.nodeId === nodeId && known.channel.address === address) return known.channel;
    const { clusterId, credentials, clock } = this.#parts;
    const channel = new RpcChannel({
      address,
      context: () => credentials.context,
      expected: { kind: 'manager', clusterId, nodeId },
      clock,
    });
    // Calls that are under way to the one who led end as the connection does.
    known?.channel.renew();
    this.#channel = { nodeId, channel };
    return channel;
  }
}
