/** Skep over a driver of one's own: functions of this program, kept running, restarted when they throw. */

import { once } from 'node:events';
import { Cluster } from '@skep/core';
import { FunctionDriver } from './function-driver.ts';

let attempts = 0;

const driver = new FunctionDriver({
  greeter: async ({ name, signal, log }) => {
    log(`hello from ${name}`);
    await once(signal, 'abort');
  },
  flaky: async ({ signal }) => {
    attempts += 1;
    if (attempts < 3) throw new Error(`attempt ${attempts} failed`);
    await once(signal, 'abort');
  },
});

const cluster = await Cluster.open({ driver });
try {
  await cluster.services.create({ name: 'greeter', task: { image: 'greeter' }, replicas: 2 });
  await cluster.services.create({ name: 'flaky', task: { image: 'flaky', restart: { delayMs: 20 } } });
  for (const name of ['greeter', 'flaky'])
    await cluster.services.waitFor(name, 'running', { timeout: 10_000 });

  for (const { id } of cluster.tasks.list({ service: 'greeter' })) {
    for await (const { data } of cluster.tasks.logs(id)) process.stdout.write(data);
  }
  await cluster.services.waitFor('flaky', () => attempts === 3, { timeout: 10_000 });
  console.log(`flaky runs at attempt ${attempts}`);
} finally {
  await cluster.close();
}
