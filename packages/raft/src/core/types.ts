/**
 * The nouns of Raft as plain data: terms, log entries, configurations, hard state. Everything in `core/` and every
 * port is written in these words; nothing here has behaviour.
 */

/** Names a member of the cluster. Never given twice: a member that lost its disk comes back under another id. */
export type MemberId = string;

/** The number of a leadership. At most one member leads in a term. 0 before the first election. */
export type Term = number;

/** Where an entry stands in the log. The first entry has index 1; 0 means "before the first". */
export type LogIndex = number;

/**
 * Who takes part. A joint configuration (Ongaro's thesis, §4.3) has two sets of voters, and every decision then needs
 * a majority of each.
 */
export interface Configuration {
  /** The voters; in a joint configuration the incoming half. */
  readonly voters: readonly MemberId[];
  /** The outgoing half of a joint configuration, empty otherwise. */
  readonly outgoing: readonly MemberId[];
  /** Members that receive the log and have no vote. */
  readonly learners: readonly MemberId[];
  /** Voters of the outgoing half that become learners when the joint configuration is left. */
  readonly learnersNext: readonly MemberId[];
  /** The leader leaves the joint configuration by itself as soon as it is committed. */
  readonly leaveAutomatically: boolean;
  /** Where members are reached. Opaque to the core. */
  readonly addresses: Readonly<Record<MemberId, string>>;
  /** Ids that were removed and are never taken again. */
  readonly removed: readonly MemberId[];
}

/** What every kind of entry has. */
interface EntryPlace {
  readonly index: LogIndex;
  readonly term: Term;
}

/** A command of the application. */
export interface CommandEntry extends EntryPlace {
  readonly kind: 'command';
  readonly payload: Uint8Array;
}

/** A change of the configuration, in force from the moment it is appended. */
export interface ConfigurationEntry extends EntryPlace {
  readonly kind: 'configuration';
  readonly configuration: Configuration;
}

/** What a leader appends first in its term, so that it may commit what earlier terms left behind. */
export interface EmptyEntry extends EntryPlace {
  readonly kind: 'empty';
}

/** One entry of the log. */
export type Entry = CommandEntry | ConfigurationEntry | EmptyEntry;

/** What a member must never forget. `commit` is a hint that saves work after a restart; the others are promises. */
export interface HardState {
  readonly term: Term;
  /** Whom this member voted for in `term`. */
  readonly vote?: MemberId;
  readonly commit: LogIndex;
}

/** A snapshot as the core knows it: which prefix of the log it stands for. Its bytes never pass through the core. */
export interface SnapshotDescription {
  /** The last entry that the snapshot contains. */
  readonly index: LogIndex;
  readonly term: Term;
  /** The configuration in force at `index`. */
  readonly configuration: Configuration;
}

/** What a member finds on its disk when it starts. */
export interface StoredState {
  readonly hardState: HardState;
  /** The newest snapshot. A new cluster starts from one at index 0 that holds the first configuration. */
  readonly snapshot?: SnapshotDescription;
  /** Entries in order, without a gap. May begin before the snapshot's end: a reserve for slow followers. */
  readonly entries: readonly Entry[];
}

/** A source of random numbers in [0, 1). The core asks it for election jitter and for the number of its incarnation. */
export interface Random {
  next(): number;
}

/** This member's part. */
export type RoleName = 'follower' | 'pre-candidate' | 'candidate' | 'leader';

/** How much an entry weighs against the limits, in bytes: its payload and a little for its frame. */
export function entryBytes(entry: Entry): number {
  return entry.kind === 'command' ? entry.payload.byteLength + 16 : 64;
}
