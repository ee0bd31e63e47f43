/**
 * Clients of a cluster of processes: each proposes its next command when the last one is answered, through any member
 * that runs, and asks again elsewhere, under the same id, when it was not told how one ended. What they saw is their
 * history.
 */

import type { Random } from '../../core/types.ts';
import type { ProposalId, ProposalOutcome } from '../../node/proposals.ts';
import { ProcessGoneError } from './called-process.ts';
import type { MemberProcess, ProcessCluster } from './process-cluster.ts';

/** A command that was acknowledged. */
export interface Acknowledged {
  readonly text: string;
  readonly index: number;
}

/** A running load. */
export class ProcessClients {
  readonly acknowledged: Acknowledged[] = [];
  /** Reads that saw less than had been acknowledged before they began. */
  readonly staleReads: string[] = [];
  reads = 0;
  /** Commands that were asked for again because a member died or could not tell. */
  retries = 0;
  readonly #cluster: ProcessCluster;
  readonly #random: Random;
  readonly #clients: Promise<unknown>;
  readonly #watchers = new Set<() => void>();
  #isStopped = false;

  constructor(cluster: ProcessCluster, random: Random, clients: number) {
    this.#cluster = cluster;
    this.#random = random;
    const writers = Array.from({ length: clients }, (_, name) => this.#write(name));
    this.#clients = Promise.all([...writers, this.#read()]);
  }

  /** Resolves when so many more commands were acknowledged. */
  async more(count: number): Promise<void> {
    const due = this.acknowledged.length + count;
    while (this.acknowledged.length < due) {
      await new Promise<void>((resolve) => {
        const watcher = () => {
          this.#watchers.delete(watcher);
          resolve();
        };
        this.#watchers.add(watcher);
      });
    }
  }

  /** Sees through what was begun. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#clients;
  }

  async #write(client: number): Promise<void> {
    for (let number = 0; !this.#isStopped; number++) {
      const text = `${client}.${number}`;
      const index = await this.#propose(text);
      this.acknowledged.push({ text, index });
      for (const watcher of [...this.#watchers]) watcher();
    }
  }

  /** Proposes until it is known to be committed. */
  async #propose(text: string): Promise<number> {
    let id: ProposalId | undefined;
    for (;;) {
      try {
        const member = await this.#anyone();
        id ??= await member.call<ProposalId>('newProposalId');
        const outcome = await member.call<ProposalOutcome>('propose', text, id);
        if (outcome.kind === 'committed') return outcome.index;
      } catch (error) {
        if (!(error instanceof ProcessGoneError)) throw error;
      }
      this.retries += 1;
    }
  }

  async #read(): Promise<void> {
    while (!this.#isStopped) {
      const before = this.acknowledged.length;
      try {
        const seen = await (await this.#anyone()).call<number>('read');
        if (seen < before) this.staleReads.push(`${seen} seen where ${before} were acknowledged`);
        this.reads += 1;
      } catch (error) {
        if (error instanceof ProcessGoneError) continue;
        // Nobody confirmed it in time, which a cluster amid an election may say.
        if (!(error instanceof Error && error.message.includes('confirmed'))) throw error;
      }
    }
  }

  async #anyone(): Promise<MemberProcess> {
    const running = () =>
      [...this.#cluster.members.values()].filter(({ status }) => status?.state === 'running');
    const members = await this.#cluster.until(() => running().length > 0 && running());
    const member = members[Math.floor(this.#random.next() * members.length)];
    if (member === undefined) throw new ProcessGoneError('nobody runs');
    return member;
  }
}
