import { describe, expect, test } from 'vitest';
import { EVENT_HISTORY, type EventHistory, newestVersion, UnreadableEventError, upcast } from './versions.ts';

/** A past in which `node.removed` first had `node`, then `nodeId`, and now `id`. */
const REMOVED: EventHistory = [
  ({ node, ...rest }) => ({ ...rest, nodeId: node }),
  ({ nodeId, ...rest }) => ({ ...rest, id: nodeId }),
];
const HISTORIES = { ...EVENT_HISTORY, 'node.removed': REMOVED };

describe('given an event that has changed its shape twice', () => {
  test.each([
    [1, { node: 'n1' }],
    [2, { nodeId: 'n1' }],
    [3, { id: 'n1' }],
  ])('when one of version %i is read, then it comes in the newest shape', (version, body) => {
    expect(upcast(version, { type: 'node.removed', ...body }, HISTORIES)).toEqual({
      type: 'node.removed',
      id: 'n1',
    });
  });

  test('when it is written, then as the newest version', () => {
    expect(newestVersion('node.removed', HISTORIES)).toBe(3);
  });

  test('when it is read, then what was written is not changed', () => {
    const written = Object.freeze({ type: 'node.removed', node: 'n1' });
    upcast(1, written, HISTORIES);
    expect(written).toEqual({ type: 'node.removed', node: 'n1' });
  });
});

describe('given placements written before reasons were told, when they are read', () => {
  test.each([
    { type: 'task.assigned', rows: [{ nodeId: 'n1', tasks: ['t1'] }] },
    {
      type: 'task.unplaced',
      ids: ['t1'],
      explanation: {
        nodes: 2,
        rejected: [{ filter: 'resources', nodes: 2 }],
        message: 'no suitable node (insufficient resources on 2 nodes)',
      },
    },
  ])('then $type is understood as it was written', (written) => {
    expect(upcast(1, written)).toEqual(written);
    expect(newestVersion(written.type as 'task.assigned')).toBe(2);
  });
});

test('given a removal written before tasks could follow their service, when it is read, then it takes them along', () => {
  const written = { type: 'service.removed', id: 's1' };
  expect(upcast(1, written)).toEqual(written);
});

describe('given an event that this Skep does not know, when it is read', () => {
  test.each([4, 0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])(
    'then version %d is refused',
    (version) => {
      expect(() => upcast(version, { type: 'node.removed' }, HISTORIES)).toThrow(UnreadableEventError);
    },
  );

  test.each(['node.sung', 'toString', '__proto__', ''])('then the name %j is refused', (type) => {
    expect(() => upcast(1, { type })).toThrow(UnreadableEventError);
  });
});

test.each([
  ['service.created', 5],
  ['service.updated', 5],
  ['service.rolled-back', 2],
] as const)(
  'given a %s of a version before %i, when it is read, then it says what it said',
  (type, newest) => {
    const written = { type, id: 's1', spec: { name: 'web', task: { image: 'web', tty: false } } };
    for (let version = 1; version < newest; version++) expect(upcast(version, written)).toEqual(written);
    expect(newestVersion(type)).toBe(newest);
  },
);

test.each([
  { type: 'service.allocated', id: 's1', endpoint: { ports: [] } },
  { type: 'service.unallocated', id: 's1', error: 'port 80 is taken' },
  { type: 'task.allocated', ids: ['t1'] },
] as const)(
  'given a $type written before networks had addresses, when it is read, then it gives none',
  (written) => {
    expect(upcast(1, written)).toEqual(written);
    expect(newestVersion(written.type)).toBe(2);
  },
);

test.each([
  { type: 'cluster.updated', spec: { labels: {} } },
  { type: 'node.described', id: 'n1', description: { hostname: 'a' }, address: '10.0.0.1' },
  { type: 'node.status', state: 'ready', message: 'has a session', ids: ['n1'] },
])(
  'given a $type written before stops were ordered, when it is read, then it says what it said',
  (written) => {
    expect(upcast(1, written)).toEqual(written);
  },
);
