/**
 * What must hold after every event, whatever happened: the safety properties of the Raft paper (figure 3) and the
 * promises about the disk. It sees what an outsider sees: disks, messages, and status.
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
import type { AbstractDisk } from './abstract-disk.ts';
import type { ObservedMember } from './observed-member.ts';
import { configurationText, entryText } from './observed-member.ts';
import { HeldPromises } from './promises.ts';
import { isSafeStep } from './safe-step.ts';
import { Violation } from './violation.ts';

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
  readonly #seen = new Map<MemberId, Seen>();
  readonly #hardStates = new Map<MemberId, HardState>();
  readonly #promises = new Map<MemberId, HeldPromises>();

  /** The highest index that was committed anywhere. */
  get committedUpTo(): LogIndex {
    return this.#committedUpTo;
  }

  /** Something happened to this member. */
  observe(
    member: ObservedMember,
    members: ReadonlyMap<MemberId, ObservedMember>,
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
      this.#checkDurableQuorums(status, before, members);
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
  wrote(id: MemberId, disk: AbstractDisk, entries: readonly Entry[]): void {
    const { hardState } = disk;
    const before = this.#hardStates.get(id);
    if (before !== undefined) {
      if (hardState.term < before.term) this.#fail(`the disk of ${id} went back to term ${hardState.term}`);
      if (hardState.term === before.term && before.vote !== undefined && hardState.vote !== before.vote) {
        this.#fail(`${id} voted twice in term ${hardState.term}`);
      }
    }
    this.#hardStates.set(id, hardState);
    this.#promisesOf(id).note(disk);
    for (const entry of entries) {
      const previous = disk.entryAt(entry.index - 1);
      const prevTerm = typeof previous === 'object' ? previous.term : undefined;
      this.#matchLog(id, entry, prevTerm);
    }
  }

  /** A message leaves: what it promises must be on the disk. */
  sent(message: Message): void {
    const broken = this.#promisesOf(message.from).brokenBy(message);
    if (broken !== undefined) this.#fail(broken);
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

  #promisesOf(id: MemberId): HeldPromises {
    const known = this.#promises.get(id) ?? new HeldPromises();
    this.#promises.set(id, known);
    return known;
  }

  #observeLeader(
    member: ObservedMember,
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
  #checkCompleteness(member: ObservedMember, status: RaftStatus): void {
    for (let index = status.firstIndex; index <= this.#committedUpTo; index++) {
      const committed = this.#committed[index];
      if (committed === undefined || committed.in >= status.term) continue;
      if (member.core?.entryAt(index)?.term !== committed.term) {
        this.#fail(`${status.id} leads term ${status.term} without the committed entry ${index}`);
      }
    }
  }

  #observeCommit(member: ObservedMember, status: RaftStatus, from: LogIndex): void {
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

  /**
   * What a leader commits is on the disks of a quorum of the configuration that was the newest in its log just then. One
   * event may commit a joint configuration under itself, append the one that leaves it, and commit under that one what
   * lies between them.
   */
  #checkDurableQuorums(
    status: RaftStatus,
    before: Seen,
    members: ReadonlyMap<MemberId, ObservedMember>,
  ): void {
    const { committed, configurationIndex, id } = status;
    const term = this.#committed[committed]?.term;
    if (term !== status.term)
      this.#fail(`${id} committed ${committed} of term ${term} in term ${status.term}`);
    const check = (index: LogIndex, ...configurations: Configuration[]) => {
      if (configurations.some((each) => this.#isOnQuorum(index, each, members))) return;
      this.#fail(`${id} committed ${index}, which is not on the disks of a quorum`);
    };
    if (configurationIndex === before.configurationIndex) {
      check(committed, before.configuration);
      return;
    }
    if (before.configurationIndex > before.committed) {
      check(Math.min(before.configurationIndex, committed), before.configuration);
    }
    if (committed >= configurationIndex) check(committed, status.configuration);
    else check(committed, before.configuration, status.configuration);
  }

  /** This entry is on the disks of a majority, of each half in a joint configuration. */
  #isOnQuorum(
    index: LogIndex,
    configuration: Configuration,
    members: ReadonlyMap<MemberId, ObservedMember>,
  ): boolean {
    const term = this.#committed[index]?.term;
    const holds = (voter: MemberId): boolean => {
      const entry = members.get(voter)?.disk.entryAt(index);
      return entry === 'snapshot' || (entry !== undefined && entry.term === term);
    };
    // Counted here and not by the core's own arithmetic, which may be what is wrong.
    const halves = [configuration.voters, configuration.outgoing].filter((half) => half.length > 0);
    return halves.every((half) => 2 * half.filter(holds).length > half.length);
  }

  #checkChange(member: ObservedMember, status: RaftStatus, before: Seen): void {
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
