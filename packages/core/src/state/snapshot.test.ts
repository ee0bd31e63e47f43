import { deepStrictEqual } from 'node:assert/strict';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeTransaction,
  decodeValue,
  encodeTransaction,
  encodeValue,
  UnreadableEventError,
} from '../events/codec.ts';
import type { Transaction } from '../events/event.ts';
import { asId } from '../model/ids.ts';
import { anyHistory } from '../testing/histories.ts';
import { aCluster } from '../testing/state-builder.ts';
import { ClusterState } from './cluster-state.ts';
import { evolve } from './evolve/evolve.ts';
import type { PersistentMap } from './persistent/persistent-map.ts';
import { restoreSnapshot, snapshotChunks } from './snapshot.ts';
import type { Table } from './table.ts';

const evolveAll = (state: ClusterState, history: readonly Transaction[]) =>
  history.reduce((before, transaction) => evolve(before, transaction).state, state);

const byKey = <K extends string, V>(map: PersistentMap<K, V>) =>
  [...map.entries()].sort(([a], [b]) => (a < b ? -1 : 1));

/** All that a state holds, row numbers, orders and indexes included, whatever its trees look like inside. */
function everything({ roots }: ClusterState): unknown {
  const table = <Id extends string, Row>({ rows, ids, next }: Table<Id, Row>) => ({
    rows: [...rows.entries()],
    ids: byKey(ids),
    next,
  });
  return {
    ...roots,
    nodes: table(roots.nodes),
    services: table(roots.services),
    tasks: table(roots.tasks),
    networks: table(roots.networks),
    secrets: table(roots.secrets),
    configs: table(roots.configs),
    vault: byKey(roots.vault),
    names: byKey(roots.names),
    departed: byKey(roots.departed),
    slots: [...roots.slots.entries()].map(([row, slots]) => [row, [...slots.entries()]]),
    tasksByNode: [...roots.tasksByNode.entries()].map(([row, rows]) => [row, [...rows.values()]]),
    commands: byKey(roots.commands),
    commandOrder: [...roots.commandOrder.entries()],
  };
}

const bytesOf = (state: ClusterState) => [...snapshotChunks(state)].map((chunk) => [...chunk]);

describe('given any history, when a snapshot of its state is restored', () => {
  test('then the state is the same, with row numbers, orders and indexes', async () => {
    await fc.assert(
      fc.asyncProperty(anyHistory(), async (history) => {
        const state = evolveAll(ClusterState.empty, history);
        deepStrictEqual(everything(await restoreSnapshot(snapshotChunks(state))), everything(state));
      }),
      { numRuns: 60 },
    );
  });

  test('then what follows leads both to the same state and the same bytes', async () => {
    const split = anyHistory().chain((history) => fc.tuple(fc.constant(history), fc.nat(history.length)));
    await fc.assert(
      fc.asyncProperty(split, async ([history, at]) => {
        const before = evolveAll(ClusterState.empty, history.slice(0, at));
        const restored = await restoreSnapshot(snapshotChunks(before));
        const here = evolveAll(before, history.slice(at));
        const there = evolveAll(restored, history.slice(at));
        deepStrictEqual(everything(there), everything(here));
        deepStrictEqual(bytesOf(there), bytesOf(here));
      }),
      { numRuns: 60 },
    );
  });
});

test('given two members, when one read from the log what the other decided, then their snapshots are the same', () => {
  fc.assert(
    fc.property(anyHistory(), (history) => {
      const read = history.map((transaction) => decodeTransaction(encodeTransaction(transaction)));
      deepStrictEqual(
        bytesOf(evolveAll(ClusterState.empty, read)),
        bytesOf(evolveAll(ClusterState.empty, history)),
      );
    }),
    { numRuns: 60 },
  );
});

test('given many tasks of one service, when they are restored, then they share one spec as they did', async () => {
  const built = aCluster().withService({ name: 'web' }).withPending('web', 2_500);
  const restored = await restoreSnapshot(snapshotChunks(built.state));
  const specs = new Set([...restored.tasks()].map(({ spec }) => spec));
  expect(specs.size).toBe(1);
  expect([...restored.tasks()]).toHaveLength(2_500);
});

test('given large files, when they are written, then no chunk holds many of them', () => {
  const cluster = aCluster();
  for (let n = 0; n < 12; n++) {
    const data = new Uint8Array(500_000).fill(n);
    cluster.apply(
      { type: 'config.created', id: asId(`config-${n}`), spec: { name: `config-${n}`, labels: {} }, data },
      { type: 'vault.stored', digest: `digest-${n}`, data },
    );
  }
  const sizes = [...snapshotChunks(cluster.state)].map((chunk) => chunk.length);
  expect(Math.max(...sizes)).toBeLessThan(2 * 1024 * 1024);
});

describe('given tasks that were told why they are placed or not', () => {
  const cluster = aCluster()
    .withNodes(1)
    .withService({ name: 'web' })
    .withPending('web', 4)
    .withService({ name: 'api' })
    .withPending('api');
  const finding = { nodes: 1, rejected: [{ filter: 'ready', nodes: 1 }], message: 'no suitable node' };
  const ids = cluster.tasks('web').map(({ id }) => id);
  cluster.apply(
    { type: 'task.unplaced', ids: ids.slice(0, 2), explanation: finding },
    {
      type: 'task.assigned',
      rows: [{ nodeId: asId('node-1'), tasks: ids.slice(2) }],
      choices: [
        {
          serviceId: asId('web'),
          specVersion: cluster.tasks('web')[0]?.specVersion ?? 0,
          placed: 2,
          nodes: 1,
          rejected: [],
          candidates: [{ nodeId: asId('node-1'), failures: 0, serviceTasks: 0, tasks: 0 }],
        },
      ],
    },
  );

  test('when they are restored, then they know it still, and share it', async () => {
    const restored = await restoreSnapshot(snapshotChunks(cluster.state));
    const tasks = [...restored.tasks()];
    expect(tasks).toEqual([...cluster.state.tasks()]);
    expect(tasks[0]?.explanation).toMatchObject({ ...finding, index: cluster.state.index });
    expect(tasks[1]?.explanation).toBe(tasks[0]?.explanation);
    expect(tasks[2]?.decision?.placed).toBe(2);
    expect(tasks[3]?.decision).toBe(tasks[2]?.decision);
  });

  test('when version 1 is read, where explanations stood in the rows, then they are had, as of the last change', async () => {
    const chunks = [...snapshotChunks(cluster.state)].map((chunk) => {
      const value = decodeValue(chunk) as {
        kind: string;
        rows: [number, { explanation?: unknown; decision?: unknown }][];
      };
      if (value.kind === 'head') return encodeValue({ ...value, version: 1 });
      if (value.kind !== 'tasks') return encodeValue(value);
      const rows = value.rows.map(([number, { explanation, decision: _decision, ...row }]) => [
        number,
        explanation === undefined ? row : { ...row, explanation: finding },
      ]);
      return encodeValue({ ...value, rows });
    });
    const [first, , third] = [...(await restoreSnapshot(chunks)).tasks()];
    expect(first?.explanation).toEqual({ ...finding, index: first?.version, at: first?.updatedAt });
    expect(third?.decision).toBeUndefined();
  });
});

describe('given a snapshot that is not whole, when it is restored, then it is refused as unreadable', () => {
  const built = aCluster()
    .withNodes(2)
    .withService({ name: 'web' })
    .withRunning('web', ['node-1', 'node-2'])
    .withService({ name: 'leaving' })
    .withPending('leaving', 2);
  built.apply(
    { type: 'service.removed', id: asId('leaving') },
    { type: 'vault.stored', digest: 'd', data: Uint8Array.of(1) },
  );
  built.commit([{ type: 'vault.stored', digest: 'e', data: Uint8Array.of(1) }], {
    commandId: asId('command'),
    answer: { id: 'leaving', action: 'updated', what: 'service' },
  });
  const chunks = [...snapshotChunks(built.state)].map((chunk) => chunk.slice());
  const head = decodeValue(chunks[0] ?? new Uint8Array()) as object;
  const refused = async (broken: readonly Uint8Array[]) =>
    expect(restoreSnapshot(broken)).rejects.toBeInstanceOf(UnreadableEventError);

  test('when it is empty', () => refused([]));

  test.each(chunks.map((_, n) => n))('when it ends before chunk %i', (n) => refused(chunks.slice(0, n)));

  test.each(chunks.map((_, n) => n))('when chunk %i is missing', (n) =>
    refused(chunks.filter((_, other) => other !== n)),
  );

  test.each(chunks.map((_, n) => n))('when chunk %i is cut short', (n) =>
    refused(chunks.map((chunk, other) => (other === n ? chunk.slice(0, -1) : chunk))),
  );

  test('when something stands behind its end', () =>
    refused([...chunks, encodeValue({ kind: 'end', chunks: 9 })]));

  test.each<[string, unknown]>([
    ['nothing', null],
    ['a number', 7],
    ['an unknown kind', { kind: 'weather' }],
    ['rows that are no list', { kind: 'rows', table: 'nodes', rows: 5 }],
    ['a row that is none', { kind: 'rows', table: 'nodes', rows: [[1, null]] }],
    ['a row with a number that is none', { kind: 'rows', table: 'nodes', rows: [[-1, { id: 'a' }]] }],
    ['an unknown table', { kind: 'rows', table: 'weather', rows: [[1, { id: 'a' }]] }],
    [
      'tasks of no service',
      {
        kind: 'tasks',
        shared: [{}, []],
        rows: [[1, { id: 't', serviceId: 's', slot: 1, spec: 0, ports: 1 }]],
      },
    ],
    [
      'tasks without their spec',
      { kind: 'tasks', shared: [], rows: [[1, { id: 't', serviceId: 's', slot: 1, spec: 0, ports: 1 }]] },
    ],
    ['another beginning', head],
  ])('when it holds %s', (_, value) =>
    refused([chunks[0] ?? new Uint8Array(), encodeValue(value), ...chunks.slice(1)]),
  );

  test('when a newer Skep wrote it', () =>
    refused([encodeValue({ ...head, version: 4 }), ...chunks.slice(1)]));

  test('when a byte of it is changed, unless it still reads, with no other kind of error', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(chunks.length - 1), fc.nat(), fc.nat(255), async (n, at, byte) => {
        const broken = chunks.map((chunk) => chunk.slice());
        const chunk = broken[n] ?? new Uint8Array(1);
        chunk[at % chunk.length] = byte;
        await restoreSnapshot(broken).catch((error: unknown) =>
          expect(error).toBeInstanceOf(UnreadableEventError),
        );
      }),
      { numRuns: 400 },
    );
  });
});
