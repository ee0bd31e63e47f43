/** A member as the rules see it: its status, its log, its disk. And what an entry says, as text that can be compared. */

import type { RaftStatus } from '../core/status.ts';
import type { Configuration, Entry, LogIndex, MemberId } from '../core/types.ts';
import type { AbstractDisk } from './abstract-disk.ts';

/** What can be seen of a core from outside. */
export interface ObservedCore {
  readonly status: RaftStatus;
  entryAt(index: LogIndex): Entry | undefined;
}

/** What can be seen of a member from outside. */
export interface ObservedMember {
  readonly id: MemberId;
  /** Counts its processes. */
  readonly life: number;
  /** Absent while no process runs. */
  readonly core: ObservedCore | undefined;
  /** What is durable. */
  readonly disk: AbstractDisk;
}

/** Every byte is a character of its own. */
const decoder = new TextDecoder('latin1');

/** What an entry says, as text: equal entries are equal here. */
export function entryText(entry: Entry): string {
  switch (entry.kind) {
    case 'command':
      return `command ${decoder.decode(entry.payload)}`;
    case 'configuration':
      return configurationText(entry.configuration);
    case 'empty':
      return 'empty';
  }
}

/** Who takes part, as text. */
export function configurationText({ voters, outgoing, learners }: Configuration): string {
  return `configuration ${voters.join(',')}|${outgoing.join(',')}|${learners.join(',')}`;
}
