import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  asId,
  type ConfigId,
  type NodeId,
  type SecretId,
  type ServiceId,
  type TaskId,
} from '../../model/ids.ts';
import { aCluster, type StateBuilder } from '../../testing/state-builder.ts';
import type { AssignmentsMessage } from '../../worker/dispatcher-port.ts';
import { completeSet, incrementalSet, TASKS_PER_MESSAGE, toldNothing } from './assignments.ts';

const NODE = asId<NodeId>('node-1');
const bytes = (text: string) => new TextEncoder().encode(text);
const dirty = (...ids: string[]) => new Set(ids.map((id) => asId<TaskId>(id)));
const keys = (message: AssignmentsMessage | undefined) =>
  message?.kind === 'incremental'
    ? {
        update: message.update.map(({ task }) => task.id),
        remove: [...message.remove],
        updateFiles: message.updateFiles.map(({ key }) => key),
        removeFiles: [...message.removeFiles],
      }
    : undefined;

function withSecret(builder: StateBuilder, name: string, value = name, id = name): StateBuilder {
  const digest = `digest-of-${value}`;
  builder.apply(
    { type: 'vault.stored', digest, data: bytes(value) },
    {
      type: 'secret.created',
      id: asId<SecretId>(id),
      spec: { name, labels: {} },
      digest,
      sizeBytes: value.length,
    },
  );
  return builder;
}

/** Two services, one with a secret and a config, and one task of each on the node. */
function withFiles(): StateBuilder {
  const builder = withSecret(aCluster().withNode(), 'password');
  builder.apply({
    type: 'config.created',
    id: asId<ConfigId>('settings'),
    spec: { name: 'settings', labels: {} },
    data: bytes('a=1'),
  });
  return builder
    .withService({
      name: 'db',
      task: { image: 'db', secrets: [{ name: 'password' }], configs: [{ name: 'settings' }] },
    })
    .withService({ name: 'web' });
}

describe('completeSet', () => {
  it('given tasks in every state on two nodes, when made, then it lists those of the node from assigned on', () => {
    const built = aCluster()
      .withNodes(2)
      .withService({ name: 'web' })
      .withPending('web')
      .withTasks('web', 1, { nodes: ['node-1'], state: 'assigned' })
      .withTasks('web', 1, { nodes: ['node-1'], state: 'failed' })
      .withTasks('web', 1, { nodes: ['node-2'] });
    const { tasks } = completeSet(NODE, built.state, toldNothing());
    expect(tasks.map(({ task }) => task.id)).toEqual(['web-2', 'web-3']);
  });

  it('given a global task that has its node but is not assigned yet, when made, then it is not listed', () => {
    const built = aCluster()
      .withNode()
      .withService({ name: 'all', mode: 'global' })
      .withTasks('all', 1, { nodes: ['node-1'], state: 'pending' });
    expect(completeSet(NODE, built.state, toldNothing()).tasks).toEqual([]);
  });

  it('given secrets and configs, when made, then those that living tasks refer to come along, once each', () => {
    const built = withSecret(withFiles(), 'unused').withTasks('db', 2, { nodes: ['node-1'] });
    const { files } = completeSet(NODE, built.state, toldNothing());
    expect(files).toEqual([
      { key: 'secret/password/1', file: { kind: 'secret', name: 'password', data: bytes('password') } },
      { key: 'config/settings/1', file: { kind: 'config', name: 'settings', data: bytes('a=1') } },
    ]);
  });

  it('given tasks that have ended or are to end, when made, then their secrets stay with the managers', () => {
    const built = withFiles()
      .withTasks('db', 1, { nodes: ['node-1'], state: 'failed' })
      .withTasks('db', 1, { nodes: ['node-1'], desired: 'shutdown' });
    const set = completeSet(NODE, built.state, toldNothing());
    expect(set.tasks).toHaveLength(2);
    expect(set.files).toEqual([]);
  });
});

describe('incrementalSet', () => {
  it('given only statuses changed, when made, then there is nothing to tell', () => {
    const built = withFiles().withTasks('web', 1, { nodes: ['node-1'], state: 'assigned' });
    const told = toldNothing();
    completeSet(NODE, built.state, told);
    built.withStatus(['web-1'], 'running');
    const marked = dirty('web-1');
    expect(incrementalSet(NODE, built.state, told, marked)).toBeUndefined();
    expect(marked.size).toBe(0);
  });

  it('given the first and the last user of a secret, when they come and go, then so does the secret', () => {
    const built = withFiles();
    const told = toldNothing();
    completeSet(NODE, built.state, told);
    built.withTasks('db', 2, { nodes: ['node-1'] });
    expect(keys(incrementalSet(NODE, built.state, told, dirty('db-1')))).toEqual({
      update: ['db-1'],
      remove: [],
      updateFiles: ['secret/password/1', 'config/settings/1'],
      removeFiles: [],
    });
    expect(keys(incrementalSet(NODE, built.state, told, dirty('db-2')))?.updateFiles).toEqual([]);
    built.withStatus(['db-1'], 'failed');
    expect(incrementalSet(NODE, built.state, told, dirty('db-1'))).toBeUndefined();
    built.apply({ type: 'task.removed', ids: [asId('db-2')] });
    expect(keys(incrementalSet(NODE, built.state, told, dirty('db-2')))).toEqual({
      update: [],
      remove: ['db-2'],
      updateFiles: [],
      removeFiles: ['secret/password/1', 'config/settings/1'],
    });
  });

  it('given the last user goes as a new one comes, when told in one message, then the secret stays', () => {
    const built = withFiles().withTasks('db', 1, { nodes: ['node-1'] });
    const told = toldNothing();
    completeSet(NODE, built.state, told);
    built.apply({ type: 'task.removed', ids: [asId('db-1')] });
    built.withTasks('db', 1, { nodes: ['node-1'] });
    const message = keys(incrementalSet(NODE, built.state, told, dirty('db-1', 'db-2')));
    expect(message).toMatchObject({ update: ['db-2'], remove: ['db-1'], removeFiles: [] });
    expect([...told.files.keys()]).toEqual(['secret/password/1', 'config/settings/1']);
  });

  it('given a secret made anew under its old name, when the next task refers to it, then the new value is told', () => {
    const built = withFiles().withTasks('db', 1, { nodes: ['node-1'] });
    const told = toldNothing();
    completeSet(NODE, built.state, told);
    built.apply({ type: 'secret.removed', id: asId('password') });
    withSecret(built, 'password', 'changed', 'password-2').withTasks('db', 1, { nodes: ['node-1'] });
    expect(incrementalSet(NODE, built.state, told, dirty('db-2'))?.updateFiles).toMatchObject([
      { key: 'secret/password/1', file: { data: bytes('changed') } },
    ]);
  });

  it('given a service that was removed, when its tasks are told of, then under the name that they had', () => {
    const built = withFiles().withTasks('web', 1, { nodes: ['node-1'] });
    const told = toldNothing();
    completeSet(NODE, built.state, told);
    built.apply({ type: 'service.removed', id: asId<ServiceId>('web') });
    expect(incrementalSet(NODE, built.state, told, dirty('web-1'))?.update).toMatchObject([
      { serviceName: 'web', task: { desiredState: 'remove' } },
    ]);
  });

  it('given more changes than a message takes, when made again and again, then all are told, each once', () => {
    const count = TASKS_PER_MESSAGE * 2 + 5;
    const built = withFiles();
    const told = toldNothing();
    completeSet(NODE, built.state, told);
    built.withTasks('web', count, { nodes: ['node-1'] });
    const marked = new Set([...built.state.tasks()].map(({ id }) => id));
    const sizes: number[] = [];
    while (marked.size > 0) sizes.push(incrementalSet(NODE, built.state, told, marked)?.update.length ?? 0);
    expect(sizes).toEqual([TASKS_PER_MESSAGE, TASKS_PER_MESSAGE, 5]);
  });

  it('given any history told in any slices, when a node adds the messages up, then it has what a complete set says', () => {
    const step = fc.oneof(
      fc.constant('db' as const),
      fc.constant('web' as const),
      fc.record({
        pick: fc.nat(),
        what: fc.constantFrom('run', 'fail', 'shutdown', 'remove'),
      }),
      fc.constant('tell' as const),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const built = withFiles();
        const told = toldNothing();
        const marked = new Set<TaskId>();
        const tasks = new Map<string, string>();
        const files = new Set(completeSet(NODE, built.state, told).files.map(({ key }) => key));
        const tell = () => {
          const message = incrementalSet(NODE, built.state, told, marked);
          for (const { task } of message?.update ?? []) tasks.set(task.id, task.desiredState);
          for (const id of message?.remove ?? []) tasks.delete(id);
          for (const { key } of message?.updateFiles ?? []) files.add(key);
          for (const key of message?.removeFiles ?? []) files.delete(key);
        };
        for (const each of steps) {
          const seen = built.changes.length;
          if (each === 'tell') tell();
          else if (typeof each === 'string')
            built.withTasks(each, 1, { nodes: ['node-1'], state: 'assigned' });
          else {
            const rows = [...built.state.tasks()];
            const task = rows[each.pick % Math.max(1, rows.length)];
            if (!task) continue;
            if (each.what === 'run') built.withStatus([task.id], 'running');
            else if (each.what === 'fail') built.withStatus([task.id], 'failed');
            else if (each.what === 'shutdown') built.withDesired([task.id], 'shutdown');
            else built.apply({ type: 'task.removed', ids: [task.id] });
          }
          for (const { changes } of built.changes.slice(seen)) {
            for (const { kind, before, after } of changes) {
              const id = (after ?? before)?.id;
              if (kind === 'task' && id !== undefined) marked.add(id as TaskId);
            }
          }
        }
        tell();
        const expected = completeSet(NODE, built.state, toldNothing());
        expect([...tasks].sort()).toEqual(
          expected.tasks.map(({ task }) => [task.id, task.desiredState]).sort(),
        );
        expect([...files].sort()).toEqual(expected.files.map(({ key }) => key).sort());
      }),
    );
  });
});
