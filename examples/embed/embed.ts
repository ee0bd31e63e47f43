/** The whole orchestrator inside your own program: three tasks of a service, one killed, healed, and all gone. */

import { Cluster } from '@skep/core';
import { ProcessDriver } from '@skep/process-driver';

const server = `require('http').createServer((_, r) => r.end('hello')).listen(process.env.PORT)`;
const driver = new ProcessDriver({ programs: { web: { command: process.execPath, args: ['-e', server] } } });

const cluster = await Cluster.open({ driver });
try {
  const web = await cluster.services.create({
    name: 'web',
    task: { image: 'web', health: { test: { kind: 'http', port: 80 } } },
    replicas: 3,
    ports: [{ target: 80 }],
  });
  await cluster.services.waitFor(web.id, 'running', { timeout: 10_000 });
  const [first] = cluster.currentEndpoints('web');
  const port = first?.ports[0]?.port;
  console.log(await (await fetch(`http://127.0.0.1:${port}`)).text(), 'from task', first?.taskId);
  await cluster.services.scale('web', 1);
  const status = await cluster.services.waitFor('web', 'running', { timeout: 10_000 });
  console.log(`${status.running} of ${status.desired} tasks run`);
} finally {
  await cluster.close();
}
