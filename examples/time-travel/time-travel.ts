/** The log as a time machine: who changed what, and the cluster as it was, also after a restart. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Cluster, HistoryPrunedError } from '@skep/core';
import { SimulatedDriver, systemClock } from '@skep/core/testing';

const dir = await mkdtemp(join(tmpdir(), 'skep-time-travel-'));
const driver = () => new SimulatedDriver({ clock: systemClock });
try {
  const before = await Cluster.open({ dir, driver: driver() });
  await before.services.create({ name: 'web', task: { image: 'web:1' }, replicas: 3 }, { user: 'ann' });
  await before.services.waitFor('web', 'running', { timeout: 10_000 });
  const { index } = before.health;
  const bobs = { name: 'web', task: { image: 'web:2' }, replicas: 1 };
  await before.services.update('web', bobs, { user: 'bob' });
  await before.services.remove('web', { user: 'eve' });
  await before.services.waitFor('web', 'removed', { timeout: 10_000 });
  await before.close();

  const cluster = await Cluster.open({ dir, driver: driver() });
  console.log(`now there are ${cluster.services.list().length} services`);

  // The story of one object, though it is gone: each change, who made it, and what differs. What the cluster itself
  // notes of it, such as how far an update has come, is left out here.
  for await (const event of cluster.history({ service: 'web' })) {
    if (event.type === 'gap' || event.actor.kind !== 'user') continue;
    const what = event.differences.filter(({ field }) => field.startsWith('spec.'));
    const told = what.map(({ field, before, after }) => `${field} ${before} -> ${after}`);
    console.log(`${event.actor.name}: ${[event.type, ...told].join(', ')}`);
  }

  // The cluster as it was, with the same way of reading it.
  const past = await cluster.at(index);
  const { running, desired } = past.services.status('web');
  console.log(`then ${running} of ${desired} tasks ran ${past.services.inspect('web').spec.task.image}`);
  const [task] = past.tasks.list({ service: 'web' });
  const states: string[] = [];
  for await (const event of cluster.history({ task: task?.id ?? '' })) {
    if (event.type !== 'gap' && event.kind === 'task') states.push(event.object.status.state);
  }
  console.log(`web.${task?.slot} went from ${states[0]} to ${states.at(-1)}`);

  try {
    await cluster.at(new Date('2020-01-01'));
  } catch (error) {
    if (!(error instanceof HistoryPrunedError)) throw error;
    console.log(`history begins with event ${error.oldest.index}`);
  }
  await cluster.close();
} finally {
  await rm(dir, { recursive: true, force: true });
}
