/**
 * One node of the cluster that is searched for secrets: a process of its own, which logs all that it has to say, keeps
 * all events that it hears, and does what it is told. What it is told comes over its channel, never on a command line.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '@skep/core';
import { init, join, type SkepNode } from '@skep/node';
import { ProcessDriver } from '@skep/process-driver';

/** What the member does, and what it answers. */
export interface Orders {
  readonly init: (dir: string) => Promise<{ address: string; clusterId: string }>;
  readonly join: (dir: string, token: string, remote: string) => Promise<void>;
  /** Join tokens, the CA's private key and, with autolock on, the unlock key: all that nobody else may see. */
  readonly secrets: () => Promise<Record<string, string>>;
  readonly keep: (how: 'create' | 'rotate', name: string, value: string) => Promise<void>;
  readonly run: (service: string, secret: string) => Promise<void>;
  readonly settle: (service: string) => Promise<void>;
  readonly lock: () => Promise<void>;
  readonly rotateTokens: () => Promise<void>;
  readonly rotateRoot: () => Promise<void>;
  /** What comes of asking for what can't be; with secrets among what is asked. */
  readonly fail: (dir: string, secret: string, value: string) => Promise<readonly string[]>;
  /** All events so far, and what is told of objects when they are asked for. */
  readonly told: () => Promise<string>;
}

const program = { command: 'sleep', args: ['600'] };
let node: SkepNode | undefined;
const events: unknown[] = [];

function logger(fields: object = {}): Logger {
  const write = (more: object, message: string) =>
    process.stdout.write(`${JSON.stringify({ message, ...fields, ...more }, inWords)}\n`);
  return {
    ...{ debug: write, info: write, warn: write, error: write },
    child: (more) => logger({ ...fields, ...more }),
  };
}

/** With its cause, and all that hangs on it. */
function inWords(_: string, value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  return { ...value, stack: value.stack, cause: value.cause };
}

const common = (dir: string) => ({
  ...{ dir, listen: '127.0.0.1:0', logger: logger() },
  driver: new ProcessDriver({ programs: { sleeper: program } }),
});

function member(): SkepNode {
  if (node === undefined) throw new Error('there is no node yet');
  return node;
}

function follow(made: SkepNode): void {
  node = made;
  if (made.role === 'manager') made.cluster.watch().subscribe((event) => events.push(event));
}

async function told(work: () => unknown): Promise<string> {
  try {
    await work();
  } catch (error) {
    return JSON.stringify({ error }, inWords) + String(error);
  }
  throw new Error('what can not be was done');
}

const orders: Orders = {
  async init(dir) {
    follow(await init({ ...common(dir), hostname: 'one' }));
    const { advertise, clusterId } = member();
    return { address: advertise, clusterId };
  },
  async join(dir, token, remote) {
    follow(await join({ ...common(dir), token, remote }));
  },
  async secrets() {
    const { record } = member().manager.trust;
    const { unlockKey } = member();
    return {
      ...member().joinTokens(),
      rootKey: record.root.privateKey,
      ...(record.rotation && { nextRootKey: record.rotation.privateKey }),
      ...(unlockKey && { unlockKey }),
    };
  },
  async keep(how, name, value) {
    const data = new TextEncoder().encode(value);
    const { secrets } = member().cluster;
    await (how === 'create' ? secrets.create({ name }, data) : secrets.rotate(name, data));
  },
  async run(name, secret) {
    const task = { image: 'sleeper', stopGraceMs: 200, secrets: [{ name: secret }] };
    await member().cluster.services.create({ name, replicas: 3, task });
  },
  async settle(name) {
    while (!member().cluster.services.status(name).converged) await sleep(20);
  },
  async lock() {
    await member().lock();
    await member().manager.settled();
  },
  async rotateTokens() {
    await member().rotateJoinToken('worker');
  },
  async rotateRoot() {
    await member().rotateRoot();
    while (member().isRotatingRoot) await sleep(20);
  },
  async fail(dir, secret, value) {
    const { cluster } = member();
    // Another value than the present one, and one that holds it.
    const data = new TextEncoder().encode(`${value}, or another`);
    const { worker } = member().joinTokens();
    const broken = worker.slice(0, -1);
    return Promise.all([
      told(() => cluster.secrets.create({ name: secret }, data)),
      told(() => cluster.secrets.apply({ name: secret }, data)),
      told(() => cluster.secrets.create({ name: 'not a name' }, data)),
      told(() => cluster.secrets.rotate('none', data)),
      told(() => cluster.secrets.remove(secret)),
      told(() => cluster.services.create({ name: 'x', task: { image: 'a', secrets: [{ name: value }] } })),
      told(() => join({ ...common(dir), token: broken, remote: member().advertise })),
      told(() => join({ ...common(dir), token: worker, remote: worker })),
      told(() => init({ ...common(dir), ca: { certificate: value, privateKey: value } })),
    ]);
  },
  async told() {
    const { cluster } = member();
    const objects = [cluster.secrets.list(), cluster.services.list(), cluster.tasks.list(), cluster.info];
    const story = [];
    for await (const each of cluster.history()) story.push(each);
    return JSON.stringify([events, objects, story], inWords);
  },
};

/** The test is gone, and nobody else would stop the tasks. */
process.on('disconnect', async () => {
  await node?.close({ tasks: 'stop' }).catch(() => {});
  process.exit(0);
});

process.on('message', (order) => {
  const { id, name, args } = order as { id: number; name: keyof Orders; args: never[] };
  (orders[name] as (...given: never[]) => Promise<unknown>)(...args).then(
    (value) => process.send?.({ id, value }),
    (error: unknown) => process.send?.({ id, error: String(error) }),
  );
});
