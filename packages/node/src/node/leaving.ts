/** How a node goes for good: nothing of it is left with the others, and they can do without it before it is gone. */

import type { Clock, NodeId } from '@skep/core';
import { sleep } from '@skep/core/member';
import type { RaftEventLog } from '@skep/raft/event-log';
import { NodeError } from '../errors.ts';
import { leaveCluster, stepDown, takesPart } from '../membership/methods.ts';
import type { ManagerLink } from '../rpc/manager-link.ts';
import type { NodeRole } from '../security/identity.ts';

/** While leadership changes hands, what is asked of the leader is asked again for so long, in ms. */
export const HAND_OVER_MS = 10_000;
/** A manager that was demoted waits so long until the others have taken it out of Raft, in ms. */
const OUT_OF_RAFT_MS = 10_000;
/** How often it looks, in ms. */
const LOOK_MS = 50;
/** So long it may take until a manager is a worker, in ms. */
const WORKER_MS = 30_000;

/** The node that goes. */
export interface Leaving {
  readonly nodeId: NodeId;
  readonly role: NodeRole;
  readonly link: ManagerLink;
  readonly clock: Clock;
  /** Stops its tasks in order, and has the managers know. Never rejects. */
  drain(): Promise<void>;
  /** Calls back when the node has become something else. Returns the way to stop. */
  onRole(listener: (role: NodeRole) => void): () => void;
}

/**
 * Takes a node out of the cluster. A manager becomes a worker before: one that led hands over, and the others need no
 * vote of it any more when it is gone. Its tasks have stopped by then, each with its grace, and are replaced elsewhere.
 *
 * @throws NodeError `LAST_MANAGER`, `QUORUM_LOSS`, `UNREACHABLE`, `DEADLINE_EXCEEDED`
 */
export async function leaveForGood(leaving: Leaving): Promise<void> {
  const { role, link } = leaving;
  const patience = { patienceMs: HAND_OVER_MS, isRepeatable: true };
  if (role === 'manager') {
    await link.unary(stepDown, undefined, patience);
    await workerFrom(leaving);
  } else {
    // Out of reach, it has to stay: its tasks are not stopped for that.
    await link.unary(takesPart, undefined, patience);
  }
  await leaving.drain();
  await link.unary(leaveCluster, undefined, patience);
}

/** A manager that was demoted. */
export interface Demoted {
  readonly raft: RaftEventLog['node'];
  readonly memberId: string;
  readonly link: ManagerLink;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Resolves once a member is out of Raft, or nobody has taken it out for long. Never rejects. */
export async function untilOutOfRaft({ raft, memberId, link, clock, signal }: Demoted): Promise<void> {
  const end = clock.monotonic() + OUT_OF_RAFT_MS;
  while (!signal.aborted && clock.monotonic() < end) {
    const { isServing, configuration } = raft.status;
    // Its own list may never tell: from the moment that it is out it hears only what reaches it by chance.
    const isOut = configuration.removed.includes(memberId) || (!isServing && (await hasNoPart(link, signal)));
    if (isOut) return;
    await sleep(clock, LOOK_MS, signal).catch(() => {});
  }
}

async function hasNoPart(link: ManagerLink, signal: AbortSignal): Promise<boolean> {
  const answer = await link.unary(takesPart, undefined, { signal }).catch(() => undefined);
  return answer?.takesPart === false;
}

function workerFrom(leaving: Leaving): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = () => {
      if (leaving.role !== 'worker') return;
      stop();
      cancel();
      resolve();
    };
    const stop = leaving.onRole(look);
    const cancel = leaving.clock.setTimer(WORKER_MS, () => {
      stop();
      const message = `node ${leaving.nodeId} is no worker yet: it was demoted, and can leave later`;
      reject(new NodeError('DEADLINE_EXCEEDED', message));
    });
    look();
  });
}
