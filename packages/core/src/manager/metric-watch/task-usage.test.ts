import { describe, expect, test } from 'vitest';
import type { TaskStats } from '../../driver/runtime-driver.ts';
import { asId, type NodeId, type ServiceId, type TaskId } from '../../model/ids.ts';
import { SimulatedClock } from '../../testing/simulated-clock.ts';
import { aCluster } from '../../testing/state-builder.ts';
import { ASKED_MAX, serviceUsage } from './task-usage.ts';

/** Measures a service whose tasks run on the nodes named. */
function measure(
  nodes: readonly string[],
  stats: (id: TaskId) => Promise<TaskStats>,
  options: { readonly connected?: (node: NodeId) => boolean; readonly signal?: AbortSignal } = {},
) {
  const { connected = () => true, signal = new AbortController().signal } = options;
  const clock = new SimulatedClock();
  const cluster = aCluster().withNodes(3).withService({ name: 'web', replicas: nodes.length });
  if (nodes.length > 0) cluster.withRunning('web', nodes);
  const service = cluster.state.service(asId<ServiceId>('web')) ?? expect.fail('no service');
  const worker = (node: NodeId) => (connected(node) ? { stats } : undefined);
  return clock.run(serviceUsage({ clock, worker }, cluster.state, service, 'cpu', signal));
}

const uses = (cpus: number): Promise<TaskStats> => Promise.resolve({ at: 0, cpus, memoryBytes: 1 });

describe('given a service, when what its tasks use is asked of their agents', () => {
  test('then it is that of the average task', async () => {
    const found = await measure(['node-1', 'node-2'], (id) => uses(id === 'web-1' ? 0.2 : 0.6));
    expect(found).toEqual({ value: 0.4, heard: 2, problem: undefined });
  });

  test('then those whose nodes are not connected are not heard of, and why is told', async () => {
    const found = await measure(['node-1', 'node-2', 'node-2'], () => uses(1), {
      connected: (node) => node === 'node-1',
    });
    expect(found).toEqual({ value: 1, heard: 1, problem: 'node node-2 is not connected now' });
  });

  test.each<[string, (id: TaskId) => Promise<TaskStats>, RegExp]>([
    ['never answers', () => new Promise(() => {}), /what task web-1 uses did not come within 5000 ms/],
    ['answers with an error', () => Promise.reject(new Error('no such container')), /^no such container$/],
    ['answers with what is no number', () => uses(Number.NaN), /told NaN of task web-1/],
    ['answers with less than nothing', () => uses(-1), /told -1 of task web-1/],
    [
      'throws',
      () => {
        throw new Error('broken');
      },
      /^broken$/,
    ],
  ])('then one whose agent %s is not heard of', async (_, stats, problem) => {
    const found = await measure(['node-1', 'node-2'], (id) => (id === 'web-1' ? stats(id) : uses(0.5)));
    expect(found).toMatchObject({ value: 0.5, heard: 1, problem: expect.stringMatching(problem) });
  });

  test('then none of them is nothing, and not 0', async () => {
    expect(await measure([], () => uses(1))).toEqual({
      ...{ value: undefined, heard: 0, problem: 'none of its tasks runs' },
    });
  });

  test('then whoever does not want to know any more is not kept', async () => {
    const ended = new AbortController();
    const measuring = measure(['node-1'], () => new Promise(() => {}), { signal: ended.signal });
    ended.abort(new Error('enough'));
    await expect(measuring).rejects.toThrow('enough');
  });

  test('then of very many some stand for all', async () => {
    const asked: TaskId[] = [];
    const nodes = Array.from({ length: 3 * ASKED_MAX }, (_, n) => `node-${(n % 3) + 1}`);
    const found = await measure(nodes, (id) => {
      asked.push(id);
      return asked.length % 2 === 0 ? uses(0.5) : Promise.reject(new Error('no'));
    });
    expect(asked).toHaveLength(ASKED_MAX);
    expect(new Set(asked).size).toBe(ASKED_MAX);
    expect(found).toMatchObject({ value: 0.5, heard: (3 * ASKED_MAX) / 2 });
  });
});
