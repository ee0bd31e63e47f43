/** One member of a simulated cluster: its disk, its clock, and the process that runs on them, if one does. */

import type { MemberId } from '../../core/types.ts';
import type { RaftNode } from '../../node/raft-node.ts';
import type { AbstractDisk } from '../abstract-disk.ts';
import type { ObservedCore, ObservedMember } from '../observed-member.ts';
import type { MemberDisk } from './member-disk.ts';
import type { ProcessClock } from './process-clock.ts';
import type { RegisterMachine } from './register-machine.ts';
import { DurableImage } from './watched-storage.ts';

/** A process. Its node is used only while it lives. */
export interface NodeProcess {
  readonly node: RaftNode;
  readonly machine: RegisterMachine;
  readonly core: ObservedCore;
}

/** Where a member is in its life. `damaged`: its disk was found to have rotted, and it never comes back. */
export type NodeState = 'down' | 'starting' | 'running' | 'stopping' | 'failed' | 'damaged';

/** What waits for a process that stands still. */
export interface Arrival {
  readonly kind: 'timer' | 'io';
  readonly happen: () => void;
}

/** Mutable; the world owns it. */
export class SimulatedNode implements ObservedMember {
  readonly id: MemberId;
  readonly image = new DurableImage();
  readonly clock: ProcessClock;
  readonly machineDisk: MemberDisk;
  /** Counts the processes: what was planned for an earlier one does not happen. */
  life = 0;
  state: NodeState = 'down';
  running: NodeProcess | undefined;
  /** While set, the process stands still. */
  paused: { readonly inbox: Arrival[] } | undefined;
  /** It dies at that many calls of the disk from now. */
  doom: { left: number; readonly how: 'kill' | 'power' } | undefined;
  /** Its disk was told to fail in this life. */
  isDiskFaulty = false;
  isDiskFull = false;
  /** A bit of its disk has flipped. */
  isRotten = false;
  wokeAt = Number.NEGATIVE_INFINITY;

  constructor(id: MemberId, clock: ProcessClock, disk: MemberDisk) {
    this.id = id;
    this.clock = clock;
    this.machineDisk = disk;
  }

  get disk(): AbstractDisk {
    return this.image.disk;
  }

  get core(): ObservedCore | undefined {
    const { running, state } = this;
    return state === 'running' && running?.node.state === 'running' ? running.core : undefined;
  }

  /** It runs, and takes part. */
  get isUp(): boolean {
    return this.core !== undefined && this.paused === undefined;
  }
}
