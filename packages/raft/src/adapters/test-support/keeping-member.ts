/** The program of a member that keeps every command as text: what a test proposes to, and asks for its history. */

import type { ProposalId } from '../../node/proposals.ts';
import { KeepingMachine } from '../../node/test-support/keeping-machine.ts';
import { serveMember } from './member-process.ts';

serveMember(
  () => {
    const machine = new KeepingMachine();
    machine.chunkBytes = 64 * 1024;
    return machine;
  },
  ({ node, machine, metrics, storage }) => ({
    newProposalId: () => node.newProposalId(),
    propose: (text: string, id?: ProposalId) =>
      node.propose(new TextEncoder().encode(text), id === undefined ? {} : { id }),
    /** A linearizable read of how much there is. */
    read: async () => {
      await node.readBarrier();
      return machine.applied.length;
    },
    applied: () => machine.applied,
    restores: () => machine.restores,
    counts: () => metrics.counts,
    storage: () => storage.status,
    /** Resolves after so long on this process's own clock. */
    pass: (ms: number) => new Promise((resolve) => setTimeout(resolve, ms)),
  }),
);
