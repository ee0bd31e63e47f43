/**
 * The process that the kill test kills: a cluster on disk with real tasks, and a stream of commands. It tells each
 * acknowledged command on its standard output, and everything else that a kill could fall between.
 */

import { writeSync } from 'node:fs';
import { Cluster } from '@skep/core';
import { ProcessDriver } from '@skep/process-driver';

const [dir = '', run = '', first = '0', commands = '0'] = process.argv.slice(2);

/** Written at once: a line that was told must be seen though the process dies the next moment. */
const tell = (line: object) => writeSync(1, `${JSON.stringify(line)}\n`);

const driver = new ProcessDriver({
  programs: { sleeper: { command: 'sleep', args: ['600'], env: { SKEP_TEST_RUN: run } } },
});
const cluster = await Cluster.open({ dir, driver });
tell({ kind: 'open', services: cluster.services.list().map(({ spec }) => [spec.name, spec.replicas ?? 1]) });
cluster.watch({ kind: 'task' }).subscribe((event) => {
  if (event.type === 'updated') tell({ kind: 'step', state: event.object.status.state });
});

const restart = { delayMs: 0 };
for (let number = Number(first); number < Number(first) + Number(commands); number += 1) {
  const name = `service-${number}`;
  await cluster.services.create({ name, task: { image: 'sleeper', stopGraceMs: 500, restart }, replicas: 1 });
  tell({ kind: 'acknowledged', name, replicas: 1 });
  await cluster.services.scale(name, 2);
  tell({ kind: 'acknowledged', name, replicas: 2 });
}

for (const { spec } of cluster.services.list()) {
  await cluster.services.waitFor(spec.name, 'running', { timeout: 60_000 });
}
tell({
  kind: 'converged',
  tasks: cluster.tasks.list({ state: 'running' }).map(({ id }) => id),
  services: cluster.services.list().map(({ spec }) => [spec.name, spec.replicas ?? 1]),
});
process.stdin.on('end', () => void cluster.close().then(() => process.exit(0)));
process.stdin.resume();
