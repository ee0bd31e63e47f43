/**
 * Three shipped cores, their disks, and the messages between them, at one moment of a search. Messages wait in a queue for
 * each direction. Time is not counted: a time-out is an event that may happen whenever it is possible.
 */

import { configurationOf, isVoter } from '../core/membership.ts';
import type { Message } from '../core/message.ts';
import type { Ready } from '../core/ready.ts';
import type { MemberId } from '../core/types.ts';
import { AbstractDisk } from '../simulator/abstract-disk.ts';
import { AppliedStates } from '../simulator/cores/applied-states.ts';
import { describe } from '../simulator/describe-message.ts';
import { Invariants } from '../simulator/invariants.ts';
import type { BudgetName, SearchBudgets } from './bounds.ts';
import type { SearchEvent } from './event.ts';
import { eventText } from './event.ts';
import { messageKey, SEARCH_OPTIONS, SearchMember, startCore } from './search-member.ts';

const MEMBERS: readonly MemberId[] = ['n1', 'n2', 'n3'];

/** What each kind of event costs; the others are free. */
const COSTS: Readonly<Partial<Record<SearchEvent['kind'], BudgetName>>> = {
  campaign: 'timeouts',
  'grow-disloyal': 'timeouts',
  heartbeat: 'heartbeats',
  propose: 'proposals',
  read: 'reads',
  change: 'changes',
  stall: 'stalls',
  crash: 'crashes',
  lose: 'losses',
  repeat: 'repeats',
  overtake: 'overtakings',
};

/** Mutable. Every event may throw a {@link Violation}. */
export class SearchWorld {
  readonly members = new Map<MemberId, SearchMember>();
  readonly #links = new Map<string, Message[]>();
  readonly #invariants = new Invariants();
  readonly #states = new AppliedStates();
  readonly #left: Record<BudgetName, number>;
  readonly #leaders = new Map<number, MemberId>();
  readonly #committedTerms: number[] = [];
  #commands = 0;
  #reads = 0;

  /** Members that have seen nothing yet; the third is a learner if it is to change places with the second. */
  constructor(budgets: SearchBudgets, hasLearner = false) {
    this.#left = { ...budgets };
    const configuration = hasLearner ? configurationOf(['n1', 'n2'], ['n3']) : configurationOf(MEMBERS);
    for (const id of MEMBERS) {
      const stored = {
        hardState: { term: 0, commit: 0 },
        snapshot: { index: 0, term: 0, configuration },
        entries: [],
      };
      const member = new SearchMember(id, new AbstractDisk(stored));
      this.members.set(id, member);
      this.#start(member);
    }
  }

  /** Everything that the future depends on, the past as far as a rule needs it, as text. */
  get key(): string {
    const links = [...this.#links].map(([link, messages]) => `${link}=${messages.map(messageKey)}`);
    const past = `${[...this.#leaders].join(' ')}/${this.#committedTerms.join()}`;
    return [
      ...[...this.members.values()].map(({ key }) => key),
      ...links.sort(),
      past,
      ...Object.values(this.#left),
    ].join('\n');
  }

  /** What may happen next. */
  get possible(): SearchEvent[] {
    const events: SearchEvent[] = [];
    for (const member of this.members.values()) this.#addMemberEvents(member, events);
    for (const [link, messages] of this.#links) {
      const [from = '', to = ''] = link.split('>');
      if (messages.length === 0) continue;
      events.push({ kind: 'deliver', from, to }, { kind: 'lose', from, to }, { kind: 'repeat', from, to });
      if (messages.length > 1) events.push({ kind: 'overtake', from, to });
    }
    return events.filter(({ kind }) => {
      const cost = COSTS[kind];
      return cost === undefined || this.#left[cost] > 0;
    });
  }

  /** The event and, for a message, what it says, in words. To be asked before it happens. */
  describe(event: SearchEvent): string {
    const message =
      'from' in event
        ? this.#links.get(`${event.from}>${event.to}`)?.[event.kind === 'overtake' ? 1 : 0]
        : undefined;
    return message === undefined
      ? eventText(event)
      : `${event.kind === 'deliver' ? '' : `${event.kind}: `}${describe(message)}`;
  }

  /** @throws Violation if a rule is broken by it */
  perform(event: SearchEvent): void {
    const cost = COSTS[event.kind];
    if (cost !== undefined) this.#left[cost]--;
    if ('from' in event) this.#performOnLink(event);
    else this.#performAt(this.#member(event.at), event.kind);
  }

  /** Everything among the members takes its course. Costs nothing: for the way to where a search begins. */
  settle(): void {
    for (;;) {
      const link = [...this.#links].find(([, messages]) => messages.length > 0)?.[0];
      if (link === undefined) return;
      const [from = '', to = ''] = link.split('>');
      this.perform({ kind: 'deliver', from, to });
    }
  }

  #addMemberEvents(member: SearchMember, events: SearchEvent[]): void {
    const { core, id: at } = member;
    if (core === undefined) {
      events.push({ kind: 'restart', at });
      return;
    }
    const { role, configuration, leader } = core.status;
    events.push({ kind: 'crash', at });
    if (member.isStalled) {
      if (member.underWay.length > 0) events.push({ kind: 'write', at });
    } else events.push({ kind: 'stall', at });
    if (role === 'leader') {
      events.push({ kind: 'heartbeat', at }, { kind: 'propose', at }, { kind: 'read', at });
      events.push({ kind: 'change', at });
    } else {
      if (isVoter(configuration, at)) events.push({ kind: 'campaign', at });
      if (leader !== undefined) events.push({ kind: 'grow-disloyal', at }, { kind: 'read', at });
    }
  }

  #performAt(member: SearchMember, kind: Extract<SearchEvent, { readonly at: MemberId }>['kind']): void {
    const { core } = member;
    switch (kind) {
      case 'restart':
        this.#start(member);
        return;
      case 'crash':
        this.#crash(member);
        return;
      case 'stall':
        member.isStalled = true;
        return;
      case 'write':
        member.isStalled = false;
        break;
      case 'campaign':
        core?.campaign();
        break;
      case 'grow-disloyal':
        core?.tick(SEARCH_OPTIONS.electionTicksMin);
        break;
      case 'heartbeat':
        core?.tick(SEARCH_OPTIONS.heartbeatTicks);
        break;
      case 'propose':
        core?.propose([new TextEncoder().encode(`c${++this.#commands}`)]);
        break;
      case 'read':
        member.reads.set(++this.#reads, { floor: this.#invariants.committedUpTo, lease: false });
        core?.readIndex(this.#reads);
        break;
      case 'change':
        this.#change(member);
        break;
    }
    this.#turn(member);
  }

  /** Of three voters n3 becomes a learner; as a learner it changes places with n2; then n2 is a voter once more. */
  #change(member: SearchMember): void {
    const { core } = member;
    const learners = core?.status.configuration.learners ?? [];
    if (learners.includes('n2')) core?.changeConfiguration([{ kind: 'add-voter', member: 'n2' }]);
    else if (learners.includes('n3')) {
      core?.changeConfiguration([
        { kind: 'add-learner', member: 'n2' },
        { kind: 'add-voter', member: 'n3' },
      ]);
    } else core?.changeConfiguration([{ kind: 'add-learner', member: 'n3' }], 'joint');
  }

  #performOnLink({ kind, from, to }: Extract<SearchEvent, { readonly from: MemberId }>): void {
    const messages = this.#links.get(`${from}>${to}`) ?? [];
    const at = kind === 'overtake' ? 1 : 0;
    const message = kind === 'repeat' ? messages[0] : messages.splice(at, 1)[0];
    const member = this.#member(to);
    if (message === undefined || kind === 'lose' || member.core === undefined) return;
    member.core.step(message);
    this.#turn(member);
    if (message.type === 'install-snapshot') {
      const sender = this.#member(from);
      sender.core?.snapshotReport(to, 'delivered');
      this.#turn(sender);
    }
  }

  #start(member: SearchMember): void {
    member.life++;
    member.core = startCore(member.id, member.life, member.disk);
    member.appliedIndex = member.disk.snapshotIndex;
    member.state = this.#states.at(member.appliedIndex);
    this.#turn(member);
  }

  /** What was not written is lost, and so is what is on the way to it. */
  #crash(member: SearchMember): void {
    member.core = undefined;
    member.underWay = [];
    member.disk.crash();
    member.isStalled = false;
    member.reads = new Map();
    for (const [link, messages] of this.#links) if (link.endsWith(`>${member.id}`)) messages.length = 0;
  }

  /** Does what the core asks for, until it asks for nothing more. */
  #turn(member: SearchMember): void {
    const { core } = member;
    if (core === undefined) return;
    for (;;) {
      const ready = core.takeReady();
      if (ready !== undefined) this.#handle(member, ready);
      const isWriting = !member.isStalled && this.#finishWrite(member);
      if (ready === undefined && !isWriting) break;
    }
    this.#invariants.observe(member, this.members, SEARCH_OPTIONS);
    const { role, term, committed, firstIndex } = core.status;
    if (role === 'leader') this.#leaders.set(term, member.id);
    for (let index = firstIndex; index <= committed; index++) {
      this.#committedTerms[index] ??= core.entryAt(index)?.term ?? 0;
    }
  }

  #handle(member: SearchMember, ready: Ready): void {
    if (ready.persist !== undefined) {
      member.disk.write(ready.persist);
      member.underWay.push(ready.persist);
    }
    for (const message of ready.messages) this.#send(message);
    if (ready.restore !== undefined) {
      this.#states.restored(member, ready.restore.index);
      member.core?.applied(ready.restore.index);
    }
    for (const entry of ready.apply) {
      this.#states.applied(member, entry);
      member.core?.applied(entry.index);
    }
    for (const result of ready.reads) {
      const open = member.reads.get(result.read);
      member.reads.delete(result.read);
      if (result.kind === 'ready' && open !== undefined) this.#states.read(member, open, result.index);
    }
    this.#invariants.observe(member, this.members, SEARCH_OPTIONS);
  }

  #finishWrite(member: SearchMember): boolean {
    const batch = member.disk.finishWrite();
    if (batch === undefined) return false;
    member.underWay.shift();
    this.#invariants.wrote(member.id, member.disk, batch.entries);
    for (const message of batch.messages) this.#send(message);
    member.core?.persisted(batch.sequence);
    return true;
  }

  #send(message: Message): void {
    this.#invariants.sent(message);
    const link = `${message.from}>${message.to}`;
    const messages = this.#links.get(link);
    if (messages === undefined) this.#links.set(link, [message]);
    else messages.push(message);
  }

  #member(id: MemberId): SearchMember {
    const member = this.members.get(id);
    if (member === undefined) throw new RangeError(`There is no member ${id}.`);
    return member;
  }
}
