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
import type { AssignmentsMessage, KnownAssignments } from '../../worker/dispatcher-port.ts';
import { completeSet, incrementalSet, resumedSet, TASKS_PER_MESSAGE, toldNothing } from './assignments.ts';

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

/** An agent, as far as what it is told goes. */
class Listener {
  readonly tasks = new Map<TaskId, string>();
  readonly files = new Map<string, string>();

  hear(message: AssignmentsMessage | undefined): void {
    if (message?.kind === 'complete') {
      this.tasks.clear();
      this.files.clear();
    }
    const isAll = message?.kind === 'complete';
    for (const { task } of (isAll ? message.tasks : message?.update) ?? [])
      this.tasks.set(task.id, task.desiredState);
    for (const { key, version } of (isAll ? message.files : message?.updateFiles) ?? [])
      this.files.set(key, version);
    if (message?.kind !== 'incremental') return;
    for (const id of message.remove) this.tasks.delete(id);
    for (const key of message.removeFiles) this.files.delete(key);
  }

  get known(): KnownAssignments {
    return {
      tasks: [...this.tasks].map(
        ([id, desiredState]) => ({ id, desiredState }) as KnownAssignments['tasks'][0],
      ),
      files: [...this.files].map(([key, version]) => ({ key, version })),
    };
  }
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
      {
        key: 'secret/password/1',
        version: 'digest-of-password',
        file: { kind: 'secret', name: 'password', data: bytes('password') },
      },
      {
        key: 'config/settings/1',
        version: 'settings',
        file: { kind: 'config', name: 'settings', data: bytes('a=1') },
      },
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

  it('given any history told in any slices and sessions, when a node adds the messages up, then it has what a complete set says', () => {
    const step = fc.oneof(
      fc.constant('db' as const),
      fc.constant('web' as const),
      fc.record({
        pick: fc.nat(),
        what: fc.constantFrom('run', 'fail', 'shutdown', 'remove'),
      }),
      fc.constant('tell' as const),
      fc.constant('new session' as const),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const built = withFiles();
        let told = toldNothing();
        const marked = new Set<TaskId>();
        const agent = new Listener();
        agent.hear(completeSet(NODE, built.state, told));
        for (const each of steps) {
          const seen = built.changes.length;
          if (each === 'tell') agent.hear(incrementalSet(NODE, built.state, told, marked));
          else if (each === 'new session') {
            told = toldNothing();
            marked.clear();
            agent.hear(resumedSet(NODE, built.state, told, agent.known));
          } else if (typeof each === 'string')
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
        agent.hear(incrementalSet(NODE, built.state, told, marked));
        const expected = new Listener();
        expected.hear(completeSet(NODE, built.state, toldNothing()));
        expect([...agent.tasks].sort()).toEqual([...expected.tasks].sort());
        expect([...agent.files].sort()).toEqual([...expected.files].sort());
      }),
    );
  });
});

describe('resumedSet', () => {
  it('given nothing changed but what the agent reported itself, when made, then it says nothing', () => {
    const built = withFiles().withTasks('db', 3, { nodes: ['node-1'], state: 'assigned' });
    const agent = new Listener();
    agent.hear(completeSet(NODE, built.state, toldNothing()));
    built.withStatus(['db-1', 'db-2', 'db-3'], 'running');
    const message = resumedSet(NODE, built.state, toldNothing(), agent.known);
    expect(keys(message)).toEqual({ update: [], remove: [], updateFiles: [], removeFiles: [] });
  });

  it('given tasks that came, changed and went between sessions, when made, then it tells of these alone', () => {
    const built = withFiles().withTasks('web', 4, { nodes: ['node-1'] });
    const agent = new Listener();
    agent.hear(completeSet(NODE, built.state, toldNothing()));
    built.withDesired(['web-2'], 'shutdown').apply({ type: 'task.removed', ids: [asId('web-3')] });
    built.withTasks('db', 1, { nodes: ['node-1'] });
    const told = toldNothing();
    expect(keys(resumedSet(NODE, built.state, told, agent.known))).toEqual({
      update: ['web-2', 'db-1'],
      remove: ['web-3'],
      updateFiles: ['secret/password/1', 'config/settings/1'],
      removeFiles: [],
    });
    expect([...told.tasks.keys()]).toEqual(['web-1', 'web-2', 'web-4', 'db-1']);
  });

  it('given a secret made anew under its old name, when made, then the new value is told', () => {
    const built = withFiles().withTasks('db', 1, { nodes: ['node-1'] });
    const agent = new Listener();
    agent.hear(completeSet(NODE, built.state, toldNothing()));
    built.apply({ type: 'secret.removed', id: asId('password') });
    withSecret(built, 'password', 'changed', 'password-2');
    expect(resumedSet(NODE, built.state, toldNothing(), agent.known).updateFiles).toMatchObject([
      { key: 'secret/password/1', file: { data: bytes('changed') } },
    ]);
  });

  it('given a task that was held and may stop now, when made, then it is told', () => {
    const built = withFiles().withTasks('web', 1, { nodes: ['node-1'], desired: 'shutdown' });
    const known = { tasks: [{ ...aKnown('web-1', 'shutdown'), held: true as const }], files: [] };
    expect(resumedSet(NODE, built.state, toldNothing(), known).update).toMatchObject([
      { task: { id: 'web-1' } },
    ]);
    expect(resumedSet(NODE, built.state, toldNothing(), known, () => true).update).toEqual([]);
  });

  it('given an agent that knows what never was, when made, then it is told to let go of it', () => {
    const known = {
      tasks: [aKnown('elsewhere', 'running')],
      files: [{ key: 'secret/other/1', version: 'x' }],
    };
    expect(keys(resumedSet(NODE, withFiles().state, toldNothing(), known))).toEqual({
      update: [],
      remove: ['elsewhere'],
      updateFiles: [],
      removeFiles: ['secret/other/1'],
    });
  });
});

function aKnown(id: string, desiredState: 'running' | 'shutdown') {
  return { id: asId<TaskId>(id), desiredState };
}
