/** Watches nodes after each event: what the rules say, and which of the rare states were reached. */

import type { Configuration, MemberId, RoleName, Term } from '../../core/types.ts';
import type { RaftMetrics } from '../../node/ports.ts';
import type { Frame } from '../../transport/frame.ts';
import { countRole } from '../rare-states.ts';
import type { Tally } from '../tally.ts';
import { Violation } from '../violation.ts';
import type { NodeWorld } from './node-world.ts';
import type { SimulatedNode } from './simulated-node.ts';

interface Seen {
  readonly life: number;
  readonly role: RoleName;
  readonly term: Term;
  readonly configuration: Configuration;
  readonly configurationIndex: number;
}

/** Compares each member with what it was when it was seen last. */
export class NodeWatch {
  readonly #world: NodeWorld;
  readonly #seen = new Map<MemberId, Seen>();

  constructor(world: NodeWorld) {
    this.#world = world;
  }

  /** Something happened to the member. @throws Violation */
  observe(member: SimulatedNode): void {
    const { core, id, life } = member;
    if (core === undefined) return;
    const { status } = core;
    const { tally, invariants, members, plan } = this.#world;
    const { role, term, configuration, configurationIndex } = status;
    const before = this.#seen.get(id);
    if (before?.life !== life || before.role !== role || before.term !== term) {
      this.#world.trace(() => `${id} is ${role} in term ${term}, led by ${status.leader ?? 'nobody'}`);
      countRole(tally, role, status);
    }
    if (role === 'leader' && before?.configuration !== configuration) {
      this.#countChange(member, before, status.term, configuration);
    }
    if (status.snapshotIndex > status.committed) {
      throw new Violation(
        `${id} has applied ${status.applied}, and its snapshot ends at ${status.snapshotIndex}`,
      );
    }
    invariants.observe(member, members, plan.options);
    this.#seen.set(id, { life, role, term, configuration, configurationIndex });
    const isNewLeader = role === 'leader' && (before?.role !== 'leader' || before.term !== term);
    if (isNewLeader) this.#world.onOccasion(member, 'leads');
  }

  /** A frame of the shipping of a snapshot leaves. */
  shipping(from: MemberId, to: MemberId, frame: Frame): void {
    const { tally } = this.#world;
    if (frame.type === 'snapshot-wanted' && frame.offset > 0) {
      tally.add('snapshots resumed where they had stopped');
      this.#world.trace(() => `${from} wants the snapshot of ${to} from ${frame.offset} on`);
    }
  }

  #countChange(
    member: SimulatedNode,
    before: Seen | undefined,
    term: Term,
    configuration: Configuration,
  ): void {
    const { tally } = this.#world;
    if (configuration.outgoing.length > 0) tally.add('joint configurations entered');
    else if (before !== undefined && before.configuration.outgoing.length > 0) {
      tally.add('joint configurations left');
      const entered = member.core?.entryAt(before.configurationIndex)?.term ?? term;
      if (entered !== term) tally.add('joint configurations left by another leader');
    }
  }
}

const COUNTED: Readonly<Record<string, string>> = {
  raft_snapshots_taken_total: 'snapshots taken',
  raft_snapshots_received_total: 'snapshots received',
};

/** Counts what nodes count themselves. */
export function nodeMetrics(tally: Tally): RaftMetrics {
  return {
    count: (name, by) => {
      const known = COUNTED[name];
      if (known !== undefined) tally.add(known, by);
    },
    gauge: () => {},
    observe: () => {},
  };
}
