/** Nodes of one cluster on top of a {@link TestCluster}: started, killed and brought back. For tests. */

import type { MemoryNetworkOptions } from '../../transport/memory-transport.ts';
import type { RaftNodeOptions } from '../options.ts';
import { RaftNode } from '../raft-node.ts';
import { TestCluster } from './cluster.ts';
import { KeepingMachine } from './keeping-machine.ts';

/** A node with its state. */
export interface TestNode {
  readonly id: string;
  readonly node: RaftNode;
  readonly machine: KeepingMachine;
}

/** Nodes that live together. */
export class NodeCluster extends TestCluster {
  readonly members = new Map<string, TestNode>();
  readonly voters: readonly string[];
  readonly #options: Partial<RaftNodeOptions>;

  constructor(
    seed: number,
    voters: readonly string[],
    options: Partial<RaftNodeOptions> = {},
    network: Partial<MemoryNetworkOptions> = {},
  ) {
    super(seed, network);
    this.voters = voters;
    this.#options = options;
  }

  /** A cluster whose voters are started, and where one of them serves. */
  static async started(...parameters: ConstructorParameters<typeof NodeCluster>): Promise<NodeCluster> {
    const cluster = new NodeCluster(...parameters);
    await Promise.all(cluster.voters.map((id) => cluster.start(id)));
    await cluster.serving();
    return cluster;
  }

  /** Starts a member, or brings it back on its disk. */
  async start(id: string): Promise<TestNode> {
    const machine = new KeepingMachine();
    const voters = this.voters.includes(id) ? this.voters : [];
    const node = new RaftNode({ ...this.parts(id, voters), machine, ...this.#options });
    const member = { id, node, machine };
    this.members.set(id, member);
    await node.start();
    return member;
  }

  member(id: string): TestNode {
    const member = this.members.get(id);
    if (member === undefined) throw new Error(`${id} is not running`);
    return member;
  }

  get leader(): TestNode | undefined {
    const leaders = [...this.members.values()].filter(({ node }) => node.status.isServing);
    // Of two that believe so, the one of the later term is right.
    return leaders.sort((a, b) => b.node.status.term - a.node.status.term)[0];
  }

  /** Lets time pass until a member serves. */
  async serving(limitMs = 5000): Promise<TestNode> {
    await this.clock.runUntil(() => this.leader !== undefined, { limitMs });
    const { leader } = this;
    if (leader === undefined) throw new Error('nobody leads');
    return leader;
  }

  followers(): TestNode[] {
    const { leader } = this;
    return [...this.members.values()].filter((member) => member !== leader);
  }

  /** The process dies: what was not on its disk is lost, and nothing is sent any more. */
  async kill(id: string): Promise<void> {
    const { node } = this.member(id);
    this.disk(id).crash();
    this.network.join(id);
    this.members.delete(id);
    await node.close();
  }

  /** Lets time pass until all have applied the same. */
  async converged(limitMs = 10_000): Promise<void> {
    const applied = () => [...this.members.values()].map(({ node }) => node.status.applied);
    await this.clock.runUntil(
      () =>
        this.leader !== undefined && applied().every((each) => each === this.leader?.node.status.lastIndex),
      { limitMs },
    );
  }

  async close(): Promise<void> {
    await Promise.all([...this.members.values()].map(({ node }) => node.close()));
  }
}
