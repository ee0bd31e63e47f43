/**
 * The port between a node and the network. Messages may be lost, doubled, delayed and overtaken; the core does not
 * mind. What an adapter must never do is deliver a message whose sender it has not identified.
 */

import type { InstallSnapshot } from '../core/message.ts';
import type { MemberId } from '../core/types.ts';
import type { PeerMessage } from './peer-message.ts';

/** The bytes of a snapshot that is arriving. Iterated once, whole or from some byte on. */
export interface SnapshotArrival extends AsyncIterable<Uint8Array> {
  /** Its bytes from there on: what is before is here from an earlier attempt, and need not travel again. */
  from(offset: number): AsyncIterable<Uint8Array>;
}

/** What a transport tells its node. */
export interface TransportEvents {
  /** A whole message, from the member that it says it is from. */
  readonly message: (message: PeerMessage) => void;
  /** A snapshot is arriving. Its message is stepped into the core once all of it is stored. */
  readonly snapshot: (message: InstallSnapshot, arrival: SnapshotArrival) => Promise<void>;
  /** Something could not be delivered. */
  readonly unreachable: (member: MemberId) => void;
}

/** Sends to members by id. */
export interface RaftTransport {
  /** The longest message that it carries, in bytes. Absent: any length. */
  readonly frameBytesMax?: number;
  start(events: TransportEvents): Promise<void>;
  /** Sends without waiting. May drop it. */
  send(message: PeerMessage): void;
  /** Ships a snapshot; resolves when the receiver has all of it, rejects when it has not. */
  sendSnapshot(message: InstallSnapshot, chunks: AsyncIterable<Uint8Array>): Promise<void>;
  /** Where a member is reached from now on; undefined forgets it. */
  setAddress(member: MemberId, address: string | undefined): void;
  close(): Promise<void>;
}
