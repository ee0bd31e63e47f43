/**
 * A service of containers: its image made on the spot, its tasks reached on the ports that the engine opened, one of
 * them killed behind Skep's back and replaced. Needs a Docker Engine at DOCKER_HOST, and busybox-static.
 */

import { execFileSync } from 'node:child_process';
import { Cluster } from '@skep/core';
import { DockerDriver } from '@skep/docker-driver';

const engine = process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock';
execFileSync('sh', [new URL('make-images.sh', import.meta.url).pathname], {
  stdio: ['ignore', 'ignore', 'inherit'],
});

const cluster = await Cluster.open({ driver: new DockerDriver({ engine, init: true }) });
await cluster.services.create({
  name: 'web',
  replicas: 3,
  ports: [{ target: 80 }],
  task: {
    image: 'skep-hello-web',
    env: { GREETING: 'hello' },
    health: { test: { kind: 'http', port: 80, path: '/health' } },
    restart: { delayMs: 0 },
  },
});
await cluster.services.waitFor('web', 'running', { timeout: 60_000 });

const running = () => cluster.tasks.list({ service: 'web', state: 'running' });
for (const { slot, status } of running()) {
  const answer = await fetch(`http://127.0.0.1:${status.runtime?.ports[0]?.port}/`);
  console.log(`web.${slot}: ${(await answer.text()).trim()}`);
}

const victim = running()[0];
const container = victim?.status.runtime?.id ?? '';
console.log(`killing container ${container.slice(0, 12)}`);
execFileSync('docker', ['kill', container], { stdio: 'ignore' });
for await (const change of cluster.watch({ kind: 'task', service: 'web' })) {
  if (change.type !== 'updated' || change.object.replaces !== victim?.id) continue;
  if (change.object.status.state !== 'running') continue;
  console.log(`web.${change.object.slot} runs again`);
  break;
}
await cluster.close();
