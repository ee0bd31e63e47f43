/**
 * Clients of the replicated registers: they set and read at any member, lose patience, and try again at another under
 * the same id. What they were told is kept as a history, and judged at once as far as it can be.
 */

import type { ProposalId, ProposalOutcome } from '../../node/proposals.ts';
import type { RandomStream } from '../seeded-random.ts';
import { Violation } from '../violation.ts';
import { ClientHistory, type OpenOperation } from './history.ts';
import type { NodeWorld } from './node-world.ts';
import { encodeSet } from './register-machine.ts';
import type { SimulatedNode } from './simulated-node.ts';

/** A client asks at most so many members before it gives up. */
const ATTEMPTS_MAX = 6;

/** So soon after a pause, in ms, that its lease could be over without its knowing. */
const JUST_WOKEN = 30;

/** A write from its beginning to its end, over all attempts. */
interface Write {
  readonly operation: OpenOperation;
  readonly key: string;
  readonly value: number;
  id: ProposalId | undefined;
  attempts: number;
  /** By an attempt that was not refused for certain it may get into the log. */
  isUncertain: boolean;
  isDone: boolean;
  readonly onDone: () => void;
}

/** All clients. */
export class Clients {
  readonly history = new ClientHistory();
  readonly #world: NodeWorld;
  readonly #random: RandomStream;
  #values = 0;

  constructor(world: NodeWorld, random: RandomStream) {
    this.#world = world;
    this.#random = random;
  }

  /** Each client does one thing after the other until the faults are over. */
  begin(): void {
    for (let client = 1; client <= this.#world.plan.clients; client++) this.#loop(client);
  }

  /** Something worth asking for has just happened: ask there, and at once. */
  press(member: SimulatedNode, lease: boolean): void {
    if (this.#random.chance(0.5)) this.#write(0, this.#key(), member, () => {});
    this.read(0, this.#key(), member, lease, () => {});
  }

  /** Sets a register through this member. */
  set(member: SimulatedNode, onDone: () => void): void {
    this.#write(0, this.#key(), member, onDone);
  }

  /** Every key is read at this member. */
  readAll(member: SimulatedNode, onDone: () => void): void {
    let left = this.#world.plan.keys;
    for (let key = 1; key <= this.#world.plan.keys; key++) {
      this.read(0, `k${key}`, member, false, () => {
        left--;
        if (left === 0) onDone();
      });
    }
  }

  /** Reads at this member. */
  read(client: number, key: string, member: SimulatedNode, lease: boolean, onDone: () => void): void {
    const { tally, invariants, queue } = this.#world;
    const { running, life, id } = member;
    if (running === undefined || !member.isUp) {
      onDone();
      return;
    }
    this.#world.touch(member);
    const operation = this.history.beginRead(client, key);
    const floor = invariants.committedUpTo;
    const hasLease = lease && (member.core?.status.hasLease ?? false);
    const isJustWoken = queue.now - member.wokeAt < JUST_WOKEN;
    running.node.readBarrier({ mode: lease ? 'lease' : 'linearizable' }).then(
      (index) => {
        if (member.life !== life) return;
        this.#world.touch(member);
        const value = running.machine.get(key);
        this.history.read(operation, value);
        tally.add('reads served');
        if (hasLease) tally.add('reads under a lease');
        if (hasLease && isJustWoken) tally.add('reads under a lease after a pause');
        this.#world.trace(() => `${id} answers client ${client}: ${key} is ${value}, at ${index}`);
        this.#world.check(() => {
          if (index < floor) {
            throw new Violation(
              `${id} served a ${lease ? 'lease ' : ''}read at ${index}, and ${floor} was committed when it was asked`,
            );
          }
        });
        onDone();
      },
      () => {
        if (member.life !== life) return;
        tally.add('reads refused');
        onDone();
      },
    );
    // A process that dies answers nobody.
    queue.plan(this.#world.plan.readTimeoutMs * 2, () => {
      if (member.life !== life) onDone();
    });
  }

  #loop(client: number): void {
    const { plan, queue } = this.#world;
    queue.plan(1 + this.#random.exponential(plan.clientMean), () => {
      if (this.#world.areFaultsOver) return;
      const member = this.#anyone();
      if (member === undefined) {
        this.#loop(client);
        return;
      }
      let isOver = false;
      const again = () => {
        if (isOver) return;
        isOver = true;
        this.#loop(client);
      };
      if (!this.#random.chance(plan.readShare)) this.#write(client, this.#key(), member, again);
      else this.read(client, this.#key(), member, this.#random.chance(plan.leaseShare), again);
    });
  }

  #write(client: number, key: string, member: SimulatedNode, onDone: () => void): void {
    if (!member.isUp) {
      onDone();
      return;
    }
    const value = ++this.#values;
    const operation = this.history.beginWrite(client, key, value);
    this.#world.tally.add('commands proposed');
    this.#attempt(
      { operation, key, value, id: undefined, attempts: 0, isUncertain: false, isDone: false, onDone },
      member,
    );
  }

  #attempt(write: Write, member: SimulatedNode): void {
    const { plan, queue, tally } = this.#world;
    const { running, life, id } = member;
    if (running === undefined) {
      this.#retry(write);
      return;
    }
    write.attempts++;
    const attempt = write.attempts;
    if (attempt > 1) tally.add('commands proposed again under their id');
    this.#world.touch(member);
    const { key } = write;
    this.#world.trace(() => `client ${write.operation.client} sets ${key} to ${write.value} at ${id}`);
    write.id ??= running.node.newProposalId();
    const wasUncertain = write.isUncertain;
    write.isUncertain = true;
    running.node.propose(encodeSet({ key, value: write.value }), { id: write.id }).then((outcome) => {
      if (member.life !== life || write.isDone) return;
      this.#world.touch(member);
      this.#world.trace(() => `${id} answers the setting of ${key} to ${write.value}: ${outcome.kind}`);
      // What an earlier attempt left behind makes the whole no more certain than it was.
      if (outcome.kind === 'rejected' && attempt === write.attempts) write.isUncertain = wasUncertain;
      this.#world.check(() => this.#ended(write, outcome, attempt));
    });
    queue.plan(plan.patience, () => {
      if (!write.isDone && attempt === write.attempts) this.#retry(write);
    });
  }

  #ended(write: Write, outcome: ProposalOutcome, attempt: number): void {
    const { tally, ledger } = this.#world;
    tally.add(`commands ${outcome.kind}`);
    if (outcome.kind === 'committed') {
      if (outcome.repeated) tally.add('commands found to be applied already');
      this.history.written(write.operation);
      ledger.acknowledged(write.value, outcome.index);
      this.#done(write);
      return;
    }
    if (attempt !== write.attempts) return;
    if (outcome.kind === 'rejected' && !write.isUncertain) {
      this.history.undo(write.operation);
      ledger.rejected(write.value);
      this.#done(write);
      return;
    }
    this.#retry(write);
  }

  #retry(write: Write): void {
    const member = this.#anyone();
    if (write.attempts >= ATTEMPTS_MAX || member === undefined) {
      this.#world.tally.add('commands whose end nobody knows');
      this.#done(write);
      return;
    }
    this.#world.queue.plan(0, () => {
      if (!write.isDone) this.#attempt(write, member);
    });
  }

  #done(write: Write): void {
    write.isDone = true;
    write.onDone();
  }

  #anyone(): SimulatedNode | undefined {
    return this.#random.pick([...this.#world.members.values()].filter((member) => member.isUp));
  }

  #key(): string {
    return `k${this.#random.between(1, this.#world.plan.keys)}`;
  }
}
