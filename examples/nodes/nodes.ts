/**
 * A cluster of two machines, here in one program: one makes it, the other joins with a token. A service, what it prints,
 * a command beside one of its tasks; then one machine leaves, and the other does all of it.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as pathOf } from 'node:path';
import { closeAll, init, join } from '@skep/node';
import { ProcessDriver } from '@skep/process-driver';

const greet = "console.log('hello from greeter.' + process.env.SKEP_TASK_SLOT); setInterval(() => {}, 1000)";
const programs = { greeter: { command: process.execPath, args: ['-e', greet] } };
const dir = await mkdtemp(pathOf(tmpdir(), 'skep-nodes-'));
const machine = (hostname: string) => ({
  ...{ hostname, dir: pathOf(dir, hostname), listen: '127.0.0.1:0' },
  driver: new ProcessDriver({ programs, anyCommand: true }),
});

const one = await init(machine('one'));
const two = await join({ ...machine('two'), token: one.joinTokens().worker, remote: one.advertise });
try {
  const { services, tasks, nodes } = one.cluster;
  const task = { image: 'greeter', stopGraceMs: 1_000, restart: { delayMs: 0 } };
  await services.create({ name: 'greeter', replicas: 2, task });
  await services.waitFor('greeter', 'running', { timeout: 20_000 });

  let greetings = 0;
  for await (const { nodeId, data } of services.logs('greeter', { follow: true })) {
    console.log(`${nodes.inspect(nodeId).spec.role}: ${new TextDecoder().decode(data).trim()}`);
    greetings += 1;
    if (greetings === 2) break;
  }

  const [beside] = tasks.list({ service: 'greeter', node: two.nodeId });
  const command = [process.execPath, '-e', 'process.stdin.pipe(process.stdout)'];
  const session = await tasks.exec(beside?.id ?? '', command);
  await session.write('said beside a task\n');
  session.endInput();
  const { stdout, exitCode } = await session.text();
  console.log(`${stdout.trim()}, and ended with ${exitCode}`);

  await two.leave();
  const { running } = await services.waitFor('greeter', 'running', { timeout: 20_000 });
  console.log(`${running} tasks run on ${nodes.count} node`);
} finally {
  await closeAll([two, one], { tasks: 'stop' });
  await rm(dir, { recursive: true, force: true });
}
