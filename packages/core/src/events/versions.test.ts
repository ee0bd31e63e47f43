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
    expect(upcast('node.removed', version, body, HISTORIES)).toEqual({ type: 'node.removed', id: 'n1' });
  });

  test('when it is written, then as the newest version', () => {
    expect(newestVersion('node.removed', HISTORIES)).toBe(3);
  });

  test('when it is read, then the body as it was written is not changed', () => {
    const body = Object.freeze({ node: 'n1' });
    upcast('node.removed', 1, body, HISTORIES);
    expect(body).toEqual({ node: 'n1' });
  });
});

describe('given an event that this Skep does not know, when it is read', () => {
  test.each([4, 0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])(
    'then version %d is refused',
    (version) => {
      expect(() => upcast('node.removed', version, {}, HISTORIES)).toThrow(UnreadableEventError);
    },
  );

  test.each(['node.sung', 'toString', '__proto__', ''])('then the name %j is refused', (type) => {
    expect(() => upcast(type, 1, {})).toThrow(UnreadableEventError);
  });
});

test('given a body that has a type of its own, when it is read, then the name of the event wins', () => {
  expect(upcast('task.removed', 1, { type: 'node.removed', ids: [] })).toEqual({
    type: 'task.removed',
    ids: [],
  });
});
