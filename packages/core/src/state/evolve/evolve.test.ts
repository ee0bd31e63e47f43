import { deepStrictEqual } from 'node:assert/strict';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ClusterEvent } from '../../events/event.ts';
import { asId, type CommandId, type NodeId, type ServiceId, type TaskId } from '../../model/ids.ts';
import { anyHistory } from '../../testing/histories.ts';
import { aCluster } from '../../testing/state-builder.ts';
import { ClusterState, nameKey } from '../cluster-state.ts';
import { COMMANDS_REMEMBERED, InconsistentEventError } from '../state-draft.ts';
import { evolve } from './evolve.ts';
import { NOTHING_YET, type PlainState, referenceEvolve } from './test-support/reference-evolve.ts';

/** The rows of a state as the reference has them. */
function plain(state: ClusterState): PlainState {
  const byId = <Row extends { readonly id: string }>(rows: Iterable<Row>) =>
    Object.fromEntries([...rows].map((row) => [row.id, row]));
  return {
    cluster: state.cluster,
    nodes: byId(state.nodes()),
    services: byId(state.services()),
    tasks: byId(state.tasks()),
    networks: byId(state.networks()),
    secrets: byId(state.secrets()),
    configs: byId(state.configs()),
    vault: Object.fromEntries([...state.roots.vault.entries()].sort()),
  };
}

const sorted = (state: PlainState): PlainState => ({
  ...state,
  vault: Object.fromEntries(Object.entries(state.vault).sort()),
});

/** The indexes of a state, and what they must be by its rows. */
function indexes(state: ClusterState): { readonly kept: unknown; readonly rebuilt: unknown } {
  const { roots } = state;
  const slots = new Map<number, Map<number, number[]>>();
  const onNodes = new Map<number, number[]>();
  const taskIds: [string, number][] = [];
  for (const [row, task] of roots.tasks.rows.entries()) {
    taskIds.push([task.id, row]);
    const nodeRow = task.nodeId === undefined ? undefined : roots.nodes.ids.get(task.nodeId);
    if (nodeRow !== undefined) onNodes.set(nodeRow, [...(onNodes.get(nodeRow) ?? []), row]);
    const serviceRow = roots.services.ids.get(task.serviceId) ?? -1;
    const ofService = slots.get(serviceRow) ?? new Map<number, number[]>();
    const key = task.slot === 0 ? (nodeRow ?? 0) : task.slot;
    slots.set(serviceRow, ofService.set(key, [...(ofService.get(key) ?? []), row]));
  }
  const names = (['service', 'network', 'secret', 'config'] as const).flatMap((kind) =>
    [...state[`${kind}s`]()].map(({ id, spec }): [string, string] => [nameKey(kind, spec.name), id]),
  );
  // A service that is gone while tasks of it are not: its name stands for the newest that had it.
  for (const row of [...slots.keys()].sort((a, b) => a - b)) {
    const [id, service] =
      [...roots.departed.entries()].find(([each]) => roots.services.ids.get(each) === row) ?? [];
    if (id === undefined || service === undefined) continue;
    const { name } = service;
    const at = names.findIndex(([key]) => key === nameKey('departed', name));
    names.splice(at === -1 ? names.length : at, at === -1 ? 0 : 1, [nameKey('departed', name), id]);
  }
  const withTasks = [...slots.keys()];
  const serviceIds = [...roots.services.rows.entries()].map(([row]) => row);
  const byNumber = (a: readonly [number, unknown], b: readonly [number, unknown]) => a[0] - b[0];
  return {
    kept: {
      slots: [...roots.slots.entries()].map(([row, ofService]) => [row, [...ofService.entries()]]),
      onNodes: [...roots.tasksByNode.entries()].map(([row, rows]) => [row, [...rows.values()]]),
      names: [...roots.names.entries()].sort(),
      departed: [...roots.departed.keys()].map((id) => roots.services.ids.get(id) ?? 0).sort((a, b) => a - b),
      taskIds: [...roots.tasks.ids.entries()].sort(),
      services: [...roots.services.ids.values()].sort((a, b) => a - b),
    },
    rebuilt: {
      slots: [...slots].sort(byNumber).map(([row, ofService]) => [row, [...ofService].sort(byNumber)]),
      onNodes: [...onNodes].sort(byNumber),
      names: names.sort(),
      departed: withTasks.filter((row) => !serviceIds.includes(row)).sort((a, b) => a - b),
      taskIds: taskIds.sort(),
      services: [...new Set([...withTasks, ...serviceIds])].sort((a, b) => a - b),
    },
  };
}

describe('given any history', () => {
  test('when it is evolved, then every row is what the plain reference says, and no old state has changed', () => {
    fc.assert(
      fc.property(anyHistory(), (history) => {
        const states = [{ state: ClusterState.empty, expected: NOTHING_YET }];
        let [last = { state: ClusterState.empty, expected: NOTHING_YET }] = states;
        for (const transaction of history) {
          const { state } = evolve(last.state, transaction);
          last = { state, expected: referenceEvolve(last.expected, transaction) };
          states.push(last);
        }
        for (const { state, expected } of states) deepStrictEqual(plain(state), sorted(expected));
      }),
    );
  });

  test('when it is evolved, then the indexes are what a rebuild from the rows would give', () => {
    fc.assert(
      fc.property(anyHistory(), (history) => {
        let state = ClusterState.empty;
        for (const transaction of history) {
          state = evolve(state, transaction).state;
          const { kept, rebuilt } = indexes(state);
          deepStrictEqual(kept, rebuilt);
        }
      }),
    );
  });

  test('when it is evolved, then its change sets alone lead from the old rows to the new', () => {
    fc.assert(
      fc.property(anyHistory(), (history) => {
        let state = ClusterState.empty;
        const rows = new Map<string, unknown>();
        for (const transaction of history) {
          const next = evolve(state, transaction);
          for (const { kind, before, after } of next.changes.changes) {
            const key = `${kind}/${(after ?? before)?.id}`;
            expect(rows.get(key)).toBe(before);
            if (after) rows.set(key, after);
            else rows.delete(key);
          }
          state = next.state;
          expect(next.changes).toMatchObject({ index: transaction.index, at: transaction.at });
        }
        const { vault: _, cluster, ...tables } = plain(state);
        const held = Object.values(tables).reduce((sum, table) => sum + Object.keys(table).length, 0);
        expect(rows.size).toBe(held + (cluster ? 1 : 0));
      }),
    );
  });
});

describe('given a service with tasks', () => {
  const built = aCluster().withNodes(2).withService({ name: 'web' }).withRunning('web', ['node-1', 'node-2']);
  const web = asId<ServiceId>('web');

  test('when it is removed, then its tasks are to be removed, found by its id, and its name is free', () => {
    const { state } = evolve(built.state, transaction([{ type: 'service.removed', id: web }]));
    expect(state.service(web)).toBeUndefined();
    expect(state.serviceByName('web')).toBeUndefined();
    expect([...state.tasksOfService(web)].map(({ desiredState }) => desiredState)).toEqual([
      'remove',
      'remove',
    ]);
    expect([...built.state.tasksOfService(web)].map(({ desiredState }) => desiredState)).toEqual([
      'running',
      'running',
    ]);
  });

  test('when it is removed and its tasks follow later, then they are as they were, and its name is free', () => {
    const removal = transaction([{ type: 'service.removed', id: web, tasksFollow: true }]);
    const { state, changes } = evolve(built.state, removal);
    expect(changes.changes.map(({ kind }) => kind)).toEqual(['service']);
    expect(state.serviceByName('web')).toBeUndefined();
    expect(state.departedService('web')).toBe(web);
    expect(state.roots.departed.get(web)).toEqual({ name: 'web', removedBy: removal.index });
    expect([...state.tasksOfService(web)]).toEqual([...built.state.tasksOfService(web)]);
  });

  test('when its last task goes after it, then nothing of it is left', () => {
    const removed = evolve(built.state, transaction([{ type: 'service.removed', id: web }])).state;
    const ids = [...removed.tasksOfService(web)].map(({ id }) => id);
    const { state } = evolve(removed, { ...transaction([{ type: 'task.removed', ids }]), index: 90 });
    expect(state.roots.services.ids.size).toBe(0);
    expect(state.roots.slots.size).toBe(0);
    expect(state.roots.departed.size).toBe(0);
    expect(state.departedService('web')).toBeUndefined();
    expect(state.roots.tasksByNode.size).toBe(0);
  });

  test('when a node is removed, then its tasks stay, and are found by their service alone', () => {
    const node = asId<NodeId>('node-1');
    const { state } = evolve(built.state, transaction([{ type: 'node.removed', id: node }]));
    expect([...state.tasksOfNode(node)]).toEqual([]);
    expect([...state.tasksOfService(web)].map(({ nodeId }) => nodeId)).toEqual(['node-1', 'node-2']);
    const { state: later } = evolve(
      state,
      transaction([{ type: 'task.removed', ids: [asId<TaskId>('web-1')] }]),
    );
    expect([...later.tasksOfService(web)].map(({ id }) => id)).toEqual(['web-2']);
  });

  test.each<[string, ClusterEvent]>([
    ['a task that is not there', { type: 'task.removed', ids: [asId('gone')] }],
    ['a node that is not there', { type: 'node.removed', id: asId('gone') }],
    ['a service that is not there', { type: 'service.removed', id: asId('gone') }],
    ['tasks of a service that is not there', { type: 'task.created', serviceId: asId('gone'), rows: [] }],
    [
      'a node that a task is given to',
      { type: 'task.assigned', rows: [{ nodeId: asId('gone'), tasks: [asId('web-1')] }] },
    ],
    ['a task twice', { type: 'task.created', serviceId: web, rows: [{ id: asId('web-1'), slot: 1 }] }],
    ['a name twice', { type: 'service.created', id: asId('other'), spec: nameOf('WEB') }],
  ])('when an event speaks of %s, then it is refused and the state stays', (_, event) => {
    if (event.type === 'task.assigned') {
      // Only a task that had no node yet is put into a node's index.
      const pending = aCluster().withService({ name: 'web' }).withPending('web');
      expect(() => evolve(pending.state, transaction([event]))).toThrow(InconsistentEventError);
      return;
    }
    const before = plain(built.state);
    expect(() => evolve(built.state, transaction([event]))).toThrow(InconsistentEventError);
    deepStrictEqual(plain(built.state), before);
  });
});

describe('given commands that were carried out', () => {
  test('when more than are remembered follow, then the oldest are forgotten and the rest are known', () => {
    let state = ClusterState.empty;
    const total = COMMANDS_REMEMBERED + 3;
    for (let index = 1; index <= total; index++) {
      const commandId = asId<CommandId>(`command-${index}`);
      const answer = { id: `service-${index}`, action: 'created', what: 'service' } as const;
      ({ state } = evolve(state, {
        ...transaction([]),
        index,
        commandId,
        ...(index === 5 ? { answer } : {}),
      }));
    }
    const command = (index: number) => state.command(asId<CommandId>(`command-${index}`));
    const known = (index: number) => command(index)?.index;
    expect(command(5)?.answer).toEqual({ id: 'service-5', action: 'created', what: 'service' });
    expect([known(1), known(2), known(3)]).toEqual([undefined, undefined, undefined]);
    expect([known(4), known(total)]).toEqual([4, total]);
    expect(state.roots.commands.size).toBe(COMMANDS_REMEMBERED);
  });
});

test("given the caller's bytes, when they are changed later, then the state keeps what it was given", () => {
  const data = Uint8Array.of(1, 2);
  const events: ClusterEvent[] = [
    { type: 'vault.stored', digest: 'd', data },
    { type: 'config.created', id: asId('config'), spec: { name: 'config', labels: {} }, data },
  ];
  const { state } = evolve(aCluster().state, transaction(events));
  data.fill(0);
  expect(state.roots.vault.get('d')).toEqual(Uint8Array.of(1, 2));
  expect(state.config(asId('config'))?.data).toEqual(Uint8Array.of(1, 2));
});

function transaction(events: readonly ClusterEvent[]) {
  return { index: 80, at: 1, actor: { kind: 'user' }, events } as const;
}

function nameOf(name: string) {
  const spec = aCluster().withService({ name }).state.serviceByName(name)?.spec;
  if (!spec) throw new Error('there is no such service');
  return spec;
}
