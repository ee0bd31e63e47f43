/** Whoever follows the feed knows what whoever asks anew is told. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { differences } from '../../model/differences.ts';
import type { NodeId } from '../../model/ids.ts';
import { ClusterState } from '../../state/cluster-state.ts';
import { evolve } from '../../state/evolve/evolve.ts';
import { anyHistory } from '../../testing/histories.ts';
import type { EndpointsMessage, Told } from '../../worker/dispatcher-port.ts';
import { OwnClients } from './own-clients.ts';
import { allTraffic, TrafficJournal } from './traffic-journal.ts';

/** What a follower knows: every thing by its id. */
class Follower {
  readonly #known = new Map<string, unknown>();

  take(message: EndpointsMessage): void {
    if (message.kind === 'complete') {
      this.#known.clear();
      for (const row of message.endpoints) this.#known.set(`endpoint ${row.taskId}`, row);
      for (const row of message.services) this.#known.set(`service ${row.id}`, row);
      for (const row of message.networks) this.#known.set(`network ${row.id}`, row);
      for (const row of message.nodes) this.#known.set(`node ${row.id}`, row);
      for (const row of message.clients) this.#known.set(`client ${row.taskId}`, row);
      return;
    }
    const { joined, left, services, networks, nodes, clients } = message;
    this.#change('endpoint', { set: joined, removed: left }, ({ taskId }) => taskId);
    if (services) this.#change('service', services, ({ id }) => id);
    if (networks) this.#change('network', networks, ({ id }) => id);
    if (nodes) this.#change('node', nodes, ({ id }) => id);
    if (clients) this.#change('client', clients, ({ taskId }) => taskId);
  }

  get known(): readonly unknown[] {
    return [...this.#known].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  #change<T>(kind: string, { set, removed }: Told<T, string>, idOf: (row: T) => string): void {
    for (const row of set) this.#known.set(`${kind} ${idOf(row)}`, row);
    for (const id of removed) this.#known.delete(`${kind} ${id}`);
  }
}

describe('given any history of a cluster', () => {
  test('when nodes follow it in steps of any size, then each knows all that there is, and no more', () => {
    fc.assert(
      fc.property(
        anyHistory({ maxTransactions: 80 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 4 })),
        (history, steps) => {
          const journal = new TrafficJournal();
          let state = ClusterState.empty;
          const ofNodes = new Map<NodeId, OwnClients>();
          const follower = new Follower();
          follower.take(allTraffic(state));
          let place = journal.end;
          let wait = 1;
          for (const transaction of history) {
            const result = evolve(state, transaction);
            state = result.state;
            journal.observe(result.changes, state);
            for (const { kind, before, after } of result.changes.changes) {
              const task = kind === 'task' ? (after ?? before) : undefined;
              if (task?.nodeId === undefined) continue;
              const clients = ofNodes.get(task.nodeId) ?? new OwnClients(task.nodeId);
              ofNodes.set(task.nodeId, clients);
              clients.mark(task.id);
            }
            wait -= 1;
            if (wait > 0) continue;
            wait = steps.next().value ?? 1;
            const message = journal.since(place, state);
            place = journal.end;
            if (message) follower.take(message);
            for (const clients of ofNodes.values()) {
              const own = clients.changed(state);
              if (own) follower.take({ kind: 'incremental', index: 0, joined: [], left: [], clients: own });
            }
            const anew = new Follower();
            const all = [...ofNodes.keys()].flatMap((nodeId) => new OwnClients(nodeId).all(state));
            anew.take({ ...allTraffic(state), clients: all });
            expect(differences(follower.known, anew.known)).toEqual([]);
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});
