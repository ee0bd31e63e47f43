import { describe, expect, test } from 'vitest';
import type { Service, Task } from '../../model/objects.ts';
import { type ServiceSpecInput, serviceSpecSchema } from '../../model/service-spec.ts';
import { aCluster } from '../../testing/state-builder.ts';
import { isTaskDirty } from './task-dirty.ts';

const first: ServiceSpecInput['task'] = { image: 'image', env: { A: '1' } };

/** A running task of the first spec, its service with the second, and the node. */
function after(change: Partial<ServiceSpecInput>, before: Partial<ServiceSpecInput> = {}) {
  const cluster = aCluster().withNode({ id: 'bee', labels: { rack: 'a' } });
  cluster.withService({ name: 'web', task: first, ...before }).withRunning('web', ['bee']);
  const service = cluster.state.serviceByName('web') as Service;
  const spec = serviceSpecSchema.parse({ ...service.spec, ...change });
  cluster.apply({ type: 'service.updated', id: service.id, spec, tasksChanged: true, portsChanged: false });
  const task = cluster.tasks('web')[0] as Task;
  const [node] = [...cluster.state.nodes()];
  return isTaskDirty(cluster.state.serviceByName('web') as Service, task, node);
}

describe('given a task from before an update', () => {
  test.each<[string, Partial<ServiceSpecInput>, boolean]>([
    ['nothing that it is made of', { labels: { a: 'b' } }, false],
    ['its image', { task: { ...first, image: 'other' } }, true],
    ['its environment', { task: { ...first, env: { A: '2' } } }, true],
    ['a force-update counter', { task: { ...first, forceUpdate: 1 } }, true],
    ['its restart policy', { task: { ...first, restart: { delayMs: 1 } } }, true],
    [
      'constraints that its node meets',
      { task: { ...first, placement: { constraints: ['node.labels.rack==a'] } } },
      false,
    ],
    [
      'constraints that its node breaks',
      { task: { ...first, placement: { constraints: ['node.labels.rack==b'] } } },
      true,
    ],
    [
      'how tasks are spread',
      { task: { ...first, placement: { preferences: [{ spread: 'node.labels.rack' }] } } },
      false,
    ],
    ['a port', { ports: [{ target: 80, published: 80 }] }, true],
    [
      'both its image and its placement',
      { task: { image: 'x', placement: { maxReplicasPerNode: 1 } } },
      true,
    ],
  ])('when %s changed, then it is dirty or not', (_, change, expected) => {
    expect(after(change)).toBe(expected);
  });

  test('when a port that was left open is still left open, then it is clean', () => {
    expect(after({ labels: { a: 'b' } }, { ports: [{ target: 80, published: 30_000 }] })).toBe(false);
    expect(after({ ports: [{ target: 80 }] }, { ports: [{ target: 80, published: 30_000 }] })).toBe(false);
    expect(after({ ports: [{ target: 81 }] }, { ports: [{ target: 80, published: 30_000 }] })).toBe(true);
  });
});
