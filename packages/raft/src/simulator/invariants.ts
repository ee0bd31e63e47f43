/**
 * What must hold after every event, whatever happened: the five safety properties of the Raft paper (figure 3), the
 * promises about the disk, and that no read is stale. It sees what an outsider sees: disks, messages, and status.
 */

import type { Message } from '../core/message.ts';
import type { RaftOptions } from '../core/options.ts';
import type { RaftStatus } from '../core/status.ts';
import type {
  Configuration,
  Entry,
  HardState,
  LogIndex,
  MemberId,
  SnapshotDescription,
  Term,
} from '../core/types.ts';
import { entryBytes } from '../core/types.ts';
import { brokenPromise } from './promises.ts';
import { isSafeStep } from './safe-step.ts';
import { hashText } from './seeded-random.ts';
import type { SimulatedDisk } from './simulated-disk.ts';
import type { OpenRead, SimulatedMember } from './simulated-member.ts';
import { configurationText, entryText } from './simulated-member.ts';

/** A rule was broken. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

interface Seen {
  readonly life: number;
  readonly term: Term;
  readonly isLeader: boolean;
  readonly committed: LogIndex;
  readonly lastIndex: LogIndex;
  readonly lastTerm: Term;
  readonly configuration: Configuration;
  readonly configurationIndex: LogIndex;
}

/** Remembers what was seen and compares. Every method throws a {@link Violation}. */
export class Invariants {
  readonly #leaders = new Map<Term, MemberId>();
  readonly #committed: {
    readonly term: Term;
    readonly text: string;
    /** The term in which this was first seen to be committed. */
    readonly in: Term;
  }[] = [];
  #committedUpTo: LogIndex = 0;
  readonly #entries = new Map<string, { readonly text: string; readonly prevTerm: Term | undefined }>();
  readonly #states: number[] = [0];
  readonly #seen = new Map<MemberId, Seen>();
  readonly #hardStates = new Map<MemberId, HardState>();

  /** The highest index that was committed anywhere. */
  get committedUpTo(): LogIndex {
    return this.#committedUpTo;
  }

  /** The state that every member has after `index`. */
  stateAt(index: LogIndex): number {
    return this.#states[index] ?? this.#fail(`a state after ${index} was asked for that nobody has reached`);
  }

  /** Something happened to this member. */
  observe(
    member: SimulatedMember,
    members: ReadonlyMap<MemberId, SimulatedMember>,
    options: Partial<RaftOptions>,
  ): void {
    const { core, id, life } = member;
    if (core === undefined) return;
    const status = core.status;
    const { role, term, committed, lastIndex, lastTerm, configuration, configurationIndex } = status;
    const before = this.#seen.get(id);
    const isSameLife = before?.life === life;
    const isLeader = role === 'leader';
    if (status.fault !== undefined)
      this.#fail(`${id} is faulted: ${status.fault}, and its disk never forgot`);
    if (before !== undefined && isSameLife) {
      if (term < before.term) this.#fail(`${id} went from term ${before.term} back to ${term}`);
      if (committed < before.committed) this.#fail(`${id} took back its commit index ${before.committed}`);
    }
    if (committed > lastIndex || status.applied > committed) {
      this.#fail(
        `${id}: applied ${status.applied}, committed ${committed}, last ${lastIndex} are out of order`,
      );
    }
    if (isLeader) this.#observeLeader(member, status, isSameLife ? before : undefined, options);
    const isNews = !isSameLife || before === undefined || committed > before.committed;
    if (isNews) this.#observeCommit(member, status, isSameLife ? (before?.committed ?? 0) : 0);
    if (isLeader && isNews && isSameLife && before?.isLeader) {
      // Within one event a commit comes before a change of the configuration, if both happen.
      this.#checkDurableQuorum(status, before.configuration, members);
    }
    this.#seen.set(id, {
      life,
      term,
      isLeader,
      committed,
      lastIndex,
      lastTerm,
      configuration,
      configurationIndex,
    });
  }

  /** A write has become durable. */
  wrote(id: MemberId, disk: SimulatedDisk, entries: readonly Entry[]): void {
    const { hardState } = disk;
    const before = this.#hardStates.get(id);
    if (before !== undefined) {
      if (hardState.term < before.term) this.#fail(`the disk of ${id} went back to term ${hardState.term}`);
      if (hardState.term === before.term && before.vote !== undefined && hardState.vote !== before.vote) {
        this.#fail(`${id} voted twice in term ${hardState.term}`);
      }
    }
    this.#hardStates.set(id, hardState);
    for (const entry of entries) {
      const previous = disk.entryAt(entry.index - 1);
      const prevTerm = typeof previous === 'object' ? previous.term : undefined;
      this.#matchLog(id, entry, prevTerm);
    }
  }

  /** A message leaves: what it promises must be on the disk. */
  sent(message: Message, disk: SimulatedDisk): void {
    const broken = brokenPromise(message, disk);
    if (broken !== undefined) this.#fail(broken);
  }

  /** An entry was given to a state machine. */
  applied(member: SimulatedMember, entry: Entry): void {
    if (entry.index !== member.appliedIndex + 1) {
      this.#fail(`${member.id} applied ${entry.index} after ${member.appliedIndex}`);
    }
    if (member.disk.entryAt(entry.index) === undefined) {
      this.#fail(`${member.id} applied ${entry.index}, which its disk does not hold`);
    }
    const state = hashText(entryText(entry), member.state);
    const known = this.#states[entry.index];
    if (known !== undefined && known !== state) {
      this.#fail(`${member.id} applied another entry ${entry.index} than others did`);
    }
    this.#states[entry.index] = state;
    member.state = state;
    member.appliedIndex = entry.index;
  }

  /** A snapshot must carry the configuration that was in force at its end, not one that may still be taken back. */
  snapshotTaken(id: MemberId, snapshot: SnapshotDescription): void {
    const text = configurationText(snapshot.configuration);
    for (let index = snapshot.index; index > 0; index--) {
      const committed = this.#committed[index];
      if (committed?.text.startsWith('configuration') !== true) continue;
      if (committed.text !== text)
        this.#fail(`the snapshot ${snapshot.index} of ${id} has ${text}, not ${committed.text}`);
      return;
    }
  }

  /** A state machine was replaced by a snapshot. */
  restored(member: SimulatedMember, index: LogIndex): void {
    if (member.disk.snapshotIndex < index) {
      this.#fail(`${member.id} restored the snapshot ${index}, which its disk does not hold`);
    }
    if (index < member.appliedIndex) {
      this.#fail(`${member.id} went back from ${member.appliedIndex} to the snapshot ${index}`);
    }
    member.state = this.stateAt(index);
    member.appliedIndex = index;
  }

  /** A read was served. */
  read(member: SimulatedMember, open: OpenRead, index: LogIndex): void {
    if (index < open.floor || member.appliedIndex < index) {
      this.#fail(
        `${member.id} served a ${open.lease ? 'lease ' : ''}read at ${index}, having applied ${member.appliedIndex}; ${open.floor} was committed when it was asked`,
      );
    }
  }

  #observeLeader(
    member: SimulatedMember,
    status: RaftStatus,
    before: Seen | undefined,
    options: Partial<RaftOptions>,
  ): void {
    const { id, term } = status;
    const known = this.#leaders.get(term);
    if (known !== undefined && known !== id) this.#fail(`${known} and ${id} both lead term ${term}`);
    this.#leaders.set(term, id);
    if (before?.isLeader && before.term === term) {
      const overwritten =
        status.lastIndex < before.lastIndex ||
        (before.lastIndex >= status.firstIndex &&
          member.core?.entryAt(before.lastIndex)?.term !== before.lastTerm);
      if (overwritten) this.#fail(`leader ${id} changed its own log before ${before.lastIndex}`);
      this.#checkChange(member, status, before);
    } else this.#checkCompleteness(member, status);
    let uncommitted = 0;
    for (let index = status.committed + 1; index <= status.lastIndex; index++) {
      const entry = member.core?.entryAt(index);
      if (entry !== undefined) uncommitted += entryBytes(entry);
    }
    if (uncommitted !== status.uncommittedBytes) {
      this.#fail(`${id} counts ${status.uncommittedBytes} uncommitted bytes, and has ${uncommitted}`);
    }
    for (const [peer, progress] of status.progress) {
      if (progress.inflightMessages > (options.inflightMessagesMax ?? Number.POSITIVE_INFINITY)) {
        this.#fail(`${id} has ${progress.inflightMessages} messages under way to ${peer}`);
      }
    }
  }

  /** Every entry that was committed in an earlier term is in the log of whoever leads, however late it learns of it. */
  #checkCompleteness(member: SimulatedMember, status: RaftStatus): void {
    for (let index = status.firstIndex; index <= this.#committedUpTo; index++) {
      const committed = this.#committed[index];
      if (committed === undefined || committed.in >= status.term) continue;
      if (member.core?.entryAt(index)?.term !== committed.term) {
        this.#fail(`${status.id} leads term ${status.term} without the committed entry ${index}`);
      }
    }
  }

  #observeCommit(member: SimulatedMember, status: RaftStatus, from: LogIndex): void {
    const { committed, firstIndex, id } = status;
    for (let index = Math.max(from + 1, firstIndex); index <= committed; index++) {
      const entry = member.core?.entryAt(index);
      if (entry === undefined) this.#fail(`${id} committed ${index}, which it does not have`);
      const text = entryText(entry);
      const known = this.#committed[index];
      if (known === undefined) {
        this.#committed[index] = { term: entry.term, text, in: status.term };
      } else if (known.term !== entry.term || known.text !== text) {
        this.#fail(
          `${id} committed ${text} of term ${entry.term} at ${index}, others ${known.text} of term ${known.term}`,
        );
      }
    }
    this.#committedUpTo = Math.max(this.#committedUpTo, committed);
  }

  /** What a leader commits is on the disks of a majority, of each half in a joint configuration. */
  #checkDurableQuorum(
    status: RaftStatus,
    configuration: Configuration,
    members: ReadonlyMap<MemberId, SimulatedMember>,
  ): void {
    const { committed, id } = status;
    const term = this.#committed[committed]?.term;
    if (term !== status.term)
      this.#fail(`${id} committed ${committed} of term ${term} in term ${status.term}`);
    const holds = (voter: MemberId): boolean => {
      const entry = members.get(voter)?.disk.entryAt(committed);
      return entry === 'snapshot' || (entry !== undefined && entry.term === term);
    };
    // Counted here and not by the core's own arithmetic, which may be what is wrong.
    const halves = [configuration.voters, configuration.outgoing].filter((half) => half.length > 0);
    if (halves.some((half) => 2 * half.filter(holds).length <= half.length)) {
      this.#fail(`${id} committed ${committed}, which is not on the disks of a quorum`);
    }
  }

  #checkChange(member: SimulatedMember, status: RaftStatus, before: Seen): void {
    if (status.configurationIndex === before.configurationIndex) return;
    const from = before.configuration;
    const to = status.configuration;
    if (before.configurationIndex > status.committed) {
      this.#fail(
        `${status.id} has two uncommitted configurations, ${before.configurationIndex} and ${status.configurationIndex}`,
      );
    }
    const newest = member.core?.entryAt(status.committed);
    if (newest !== undefined && newest.term !== status.term) {
      this.#fail(
        `${status.id} changed the configuration before anything was committed in its term ${status.term}`,
      );
    }
    if (!isSafeStep(from, to)) {
      this.#fail(
        `${status.id} went to configuration ${status.configurationIndex} by a step whose quorums need not meet`,
      );
    }
  }

  #matchLog(id: MemberId, entry: Entry, prevTerm: Term | undefined): void {
    const key = `${entry.index}@${entry.term}`;
    const text = entryText(entry);
    const known = this.#entries.get(key);
    if (known === undefined) this.#entries.set(key, { text, prevTerm });
    else if (known.text !== text) this.#fail(`${id} holds ${text} at ${key}, others ${known.text}`);
    else if (known.prevTerm === undefined) this.#entries.set(key, { text, prevTerm });
    else if (prevTerm !== undefined && known.prevTerm !== prevTerm) {
      this.#fail(`${id} holds ${key} behind an entry of term ${prevTerm}, others of term ${known.prevTerm}`);
    }
  }

  #fail(message: string): never {
    throw new Violation(message);
  }
}
