/**
 * A ledger on a memory log, for tests of what stands on it: the log can be held, made to refuse, and robbed of its
 * leadership, and the clock stands still until it is moved.
 */

import type { ClusterEvent } from '../events/event.ts';
import { MemoryEventLog, type MemoryEventLogOptions } from '../log/memory-event-log.ts';
import { Ledger } from '../manager/ledger.ts';
import { type ClusterId, type CommandId, newId } from '../model/ids.ts';
import { clusterSpecSchema } from '../model/other-specs.ts';
import { seededRandom } from '../runtime/random.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import { Replica } from '../state/replica.ts';
import { SimulatedClock } from './simulated-clock.ts';

/** A ledger and what it stands on. */
export interface LedgerBench {
  readonly log: MemoryEventLog;
  readonly replica: Replica;
  readonly clock: SimulatedClock;
  readonly ledger: Ledger;
  /** A new ledger for the epoch that the log is in now, going on after this sequence. Default: the first. */
  readonly nextLedger: (sequence?: number) => Ledger;
}

/** Opens a log and begins a ledger on it. Nothing is decided yet. */
export async function aLedger(options: MemoryEventLogOptions = {}): Promise<LedgerBench> {
  const log = new MemoryEventLog(options);
  const replica = new Replica();
  const clock = new SimulatedClock();
  const random = seededRandom(1);
  await log.open(replica);
  const nextLedger = (sequence = 0) => {
    return new Ledger({ log, replica, clock, random, epoch: log.leadership().epoch, sequence });
  };
  return { log, replica, clock, ledger: nextLedger(), nextLedger };
}

/** What {@link label} decides: the cluster gets a label, and is created if there is none yet. */
export function labelled(head: ClusterState, value: string): ClusterEvent[] {
  const spec = clusterSpecSchema.parse({
    labels: { ...head.cluster?.spec.labels, [value]: String(head.index) },
  });
  if (head.cluster) return [{ type: 'cluster.updated', spec }];
  const id = newId<ClusterId>(seededRandom(2));
  return [{ type: 'cluster.created', id, spec, digestKey: new Uint8Array(32) }];
}

/** Labels the cluster, through a ledger, and answers with the value. */
export function label(ledger: Ledger, value: string, commandId?: CommandId): Promise<string> {
  return ledger.transact(
    { kind: 'user' },
    (head) => ({ events: labelled(head, value), result: value }),
    commandId === undefined ? {} : { command: { id: commandId, repeated: () => `${value} again` } },
  );
}

/** The labels of the cluster, in the order in which they were given. */
export function labelsOf(state: ClusterState): string[] {
  return Object.keys(state.cluster?.spec.labels ?? {});
}
