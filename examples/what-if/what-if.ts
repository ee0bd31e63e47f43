/** Ask before you act: what a drained node would move, where more replicas would go, and why a task waits. */

import { Cluster, drain, IndexConflictError, scale } from '@skep/core';
import { SimulatedDriver, systemClock } from '@skep/core/testing';

const cluster = await Cluster.open();
for (const [hostname, disk] of [
  ['one', 'ssd'],
  ['two', 'ssd'],
  ['three', 'hdd'],
] as const) {
  const resources = { cpus: 4, memoryBytes: 8 * 1024 ** 3, generic: {} };
  const driver = new SimulatedDriver({ clock: systemClock, description: { resources } });
  await cluster.addNode({ driver, hostname, spec: { labels: { disk } } });
}

const placement = { constraints: ['node.labels.disk==ssd'] };
const task = { image: 'web', placement, resources: { reservations: { cpus: 1 } } };
await cluster.services.apply({ name: 'web', task, replicas: 5 });
await cluster.services.waitFor('web', 'running', { timeout: 10_000 });

// Nothing of this is done: the real control loops play it through on a copy of the state.
const draining = await cluster.plan(drain('two'));
for (const { service, slot, node } of draining.placements)
  console.log(`${service}.${slot} would go to ${node.name}`);
for (const { service, slots, message } of draining.unplaced)
  console.log(`${service}.${slots.join(', ')} would wait: ${message}`);

// A plan may be carried out on condition that it still holds.
const scaling = await cluster.plan(scale('web', 9));
for (const { field, before, after } of scaling.changes.flatMap(({ fields }) => fields))
  console.log(`${field}: ${before} would become ${after}`);
await cluster.services.scale('web', 9, { ifIndex: scaling.index });
try {
  await cluster.nodes.update('two', { availability: 'drain' }, { ifIndex: draining.index });
} catch (error) {
  if (!(error instanceof IndexConflictError)) throw error;
  console.log('the plan to drain is out of date: plan again');
}

// What was planned came of it: one task waits. It can say why, and what would help.
await cluster.services.waitFor('web', ({ running, reasons }) => running === 8 && reasons.length > 0, {
  timeout: 10_000,
});
const [waiting] = cluster.tasks.list({ service: 'web', state: 'pending' });
const why = await cluster.explain(waiting?.id ?? '');
console.log(`web.${why.slot} waits: ${why.message}`);
for (const { message } of why.remedies) console.log(`what would help: ${message}`);

await cluster.nodes.update('three', { labels: { disk: 'ssd' } });
await cluster.services.waitFor('web', 'running', { timeout: 10_000 });
const placed = await cluster.explain(why.task);
console.log(`web.${placed.slot} runs on ${placed.node?.name}`);
await cluster.close();
