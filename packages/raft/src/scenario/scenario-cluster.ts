/**
 * A few cores, each with a disk, and a network whose messages lie still until a scenario says what becomes of them.
 * Nothing here is random: every timer draws the longest time-out, 5 ticks
 * for elections; loyalty to a leader ends after 3.
 */

import { configurationOf } from '../core/membership.ts';
import type { Message } from '../core/message.ts';
import type { RaftOptions } from '../core/options.ts';
import { RaftCore } from '../core/raft.ts';
import type { ReadResult, Ready, TransferFailure } from '../core/ready.ts';
import type { Entry, LogIndex, MemberId, StoredState } from '../core/types.ts';
import { AbstractDisk } from '../simulator/abstract-disk.ts';

/** One member with what stands around it. */
export interface ScenarioMember {
  readonly id: MemberId;
  core: RaftCore | undefined;
  readonly disk: AbstractDisk;
  /** While true, writes stay under way until the scenario finishes them. */
  diskWaits: boolean;
  /** While true, committed entries are handed out and not reported as applied. */
  applyWaits: boolean;
  applied: string[];
  appliedIndex: LogIndex;
  reads: Map<number, ReadResult>;
  transferFailure: TransferFailure | undefined;
  fault: string | undefined;
  handedOut: LogIndex;
}

const ROUNDS_MAX = 2000;

/** How a command is written in a scenario. */
export function commandText(entry: Entry): string | undefined {
  return entry.kind === 'command' ? new TextDecoder().decode(entry.payload) : undefined;
}

/** The members of one scenario and the messages between them. */
export class ScenarioCluster {
  readonly members = new Map<MemberId, ScenarioMember>();
  readonly sent = new Map<string, number>();
  options: Partial<RaftOptions> = {
    heartbeatTicks: 1,
    electionTicksMin: 3,
    electionTicksMax: 5,
    campaignTicksMin: 3,
    campaignTicksMax: 3,
  };
  reportsSnapshots = true;
  network: Message[] = [];
  readonly #cut = new Set<string>();
  #incarnations = 0;

  /** Starts members that share a past up to `index`. */
  found(voters: readonly MemberId[], learners: readonly MemberId[], index: LogIndex): void {
    const configuration = configurationOf(voters, learners);
    for (const id of [...voters, ...learners]) {
      const hardState = { term: 0, commit: index };
      this.add(id, { hardState, snapshot: { index, term: 0, configuration }, entries: [] });
    }
  }

  add(id: MemberId, stored?: StoredState): void {
    const member: ScenarioMember = {
      id,
      core: undefined,
      disk: new AbstractDisk(stored),
      diskWaits: false,
      applyWaits: false,
      applied: [],
      appliedIndex: 0,
      reads: new Map(),
      transferFailure: undefined,
      fault: undefined,
      handedOut: 0,
    };
    this.members.set(id, member);
    this.start(id);
  }

  start(id: MemberId): void {
    const member = this.member(id);
    const seed = ++this.#incarnations / 1000;
    let draws = 0;
    const random = { next: () => (draws++ === 0 ? seed : 0.999) };
    member.core = new RaftCore({ id, random, stored: member.disk.stored, options: this.options });
    member.applied = [];
    member.appliedIndex = member.disk.snapshotIndex;
    member.handedOut = member.appliedIndex;
    member.fault = undefined;
  }

  crash(id: MemberId): void {
    const member = this.member(id);
    member.core = undefined;
    member.disk.crash();
    member.diskWaits = false;
    member.reads = new Map();
    this.network = this.network.filter((message) => message.to !== id);
  }

  member(id: MemberId): ScenarioMember {
    const member = this.members.get(id);
    if (member === undefined) throw new Error(`there is no member ${id}`);
    return member;
  }

  core(id: MemberId): RaftCore {
    const { core } = this.member(id);
    if (core === undefined) throw new Error(`${id} is not running`);
    return core;
  }

  cut(from: MemberId, to: MemberId): void {
    this.#cut.add(`${from}>${to}`);
  }

  heal(): void {
    this.#cut.clear();
  }

  /** Does what a member's core asks for, until it asks for nothing more. Returns whether there was anything. */
  work(id: MemberId): boolean {
    const member = this.member(id);
    let isBusy = false;
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const ready = member.core?.takeReady();
      if (ready !== undefined) this.#handle(member, ready);
      const wrote = !member.diskWaits && this.finishWrite(id);
      if (ready === undefined && !wrote) return isBusy;
      isBusy = true;
    }
    throw new Error(`${id} does not come to rest`);
  }

  /** The oldest write of a member becomes durable. */
  finishWrite(id: MemberId): boolean {
    const member = this.member(id);
    const batch = member.disk.finishWrite();
    if (batch === undefined) return false;
    for (const message of batch.messages) this.#post(message);
    member.core?.persisted(batch.sequence);
    return true;
  }

  /** Takes messages out of the network; lost ones are reported as a transport would. */
  take(matches: (message: Message) => boolean): Message[] {
    const taken = this.network.filter(matches);
    this.network = this.network.filter((message) => !matches(message));
    return taken;
  }

  deliver(messages: readonly Message[]): void {
    for (const message of messages) {
      this.member(message.to).core?.step(message);
      if (message.type === 'install-snapshot') this.#report(message, 'delivered');
    }
  }

  lose(messages: readonly Message[]): void {
    for (const message of messages) {
      if (message.type === 'install-snapshot') this.#report(message, 'failed');
    }
  }

  /** Lets everything among `ids` take its course. Messages to and from others stay where they are. */
  settle(ids: readonly MemberId[]): void {
    const among = (message: Message) => ids.includes(message.to) && ids.includes(message.from);
    for (let round = 0; round < ROUNDS_MAX; round++) {
      let isBusy = false;
      for (const id of ids) if (this.work(id)) isBusy = true;
      const messages = this.take(among);
      if (messages.length === 0 && !isBusy) return;
      this.deliver(messages);
    }
    throw new Error('the members do not come to rest');
  }

  #handle(member: ScenarioMember, ready: Ready): void {
    if (ready.persist !== undefined) member.disk.write(ready.persist);
    for (const message of ready.messages) this.#post(message);
    if (ready.restore !== undefined) {
      member.applied = [`snapshot@${ready.restore.index}`];
      member.handedOut = ready.restore.index;
    }
    for (const entry of ready.apply) {
      const text = commandText(entry);
      if (text !== undefined) member.applied.push(text);
      member.handedOut = entry.index;
    }
    if (!member.applyWaits && member.handedOut > member.appliedIndex) {
      member.appliedIndex = member.handedOut;
      member.core?.applied(member.handedOut);
    }
    for (const result of ready.reads) member.reads.set(result.read, result);
    if (ready.transferFailure !== undefined) member.transferFailure = ready.transferFailure;
    if (ready.fault !== undefined) member.fault = ready.fault;
  }

  #post(message: Message): void {
    const key = `${message.type}>${message.to}`;
    this.sent.set(key, (this.sent.get(key) ?? 0) + 1);
    const isLost = this.#cut.has(`${message.from}>${message.to}`) || !this.members.has(message.to);
    if (isLost) this.lose([message]);
    else this.network.push(message);
  }

  #report(message: Message, outcome: 'delivered' | 'failed'): void {
    if (this.reportsSnapshots) this.members.get(message.from)?.core?.snapshotReport(message.to, outcome);
  }
}
