/** One member in the simulation: a core, its disk, its clock, and a state machine that is a hash of what it was given. */

import type { RaftCore } from '../../core/raft.ts';
import type { LogIndex, MemberId } from '../../core/types.ts';
import { AbstractDisk } from '../abstract-disk.ts';

/** A read that was asked for and not answered. */
export interface OpenRead {
  /** The highest index known to be committed anywhere when it was asked for. */
  readonly floor: LogIndex;
  readonly lease: boolean;
}

/** Mutable; the simulation owns it. */
export class SimulatedMember {
  readonly id: MemberId;
  readonly disk = new AbstractDisk();
  core: RaftCore | undefined;
  /** Counts the lives of this member: what was planned in an earlier one does not happen. */
  life = 0;
  /** Units of time between two ticks: its clock's speed. */
  tickEvery = 10;
  /** While set, the process stands still; what arrives waits here. */
  paused: { since: number; readonly inbox: (() => void)[] } | undefined;
  /** Its clock stands still until then. */
  clockStopsUntil = 0;
  /** When the write that was begun last will be done. */
  diskBusyUntil = 0;
  applyBusyUntil = 0;
  state = 0;
  appliedIndex: LogIndex = 0;
  reads = new Map<number, OpenRead>();
  /** It is to die while its next write is under way. */
  isDoomed = false;

  constructor(id: MemberId, disk?: AbstractDisk) {
    this.id = id;
    if (disk !== undefined) this.disk = disk;
  }

  get isUp(): boolean {
    return this.core !== undefined && this.paused === undefined;
  }
}
