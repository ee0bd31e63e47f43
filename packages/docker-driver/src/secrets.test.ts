import { existsSync } from 'node:fs';
import { readdir, readFile, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Cluster, InUseError } from '@skep/core';
import { tasksWithMemoryFiles } from '@skep/core/node';
import { taskSpecSchema } from '@skep/core/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DockerDriver } from './docker-driver.ts';
import { DockerMachine, scriptSpec } from './testing/docker-machine.ts';
import { engineMissing } from './testing/engine-requirements.ts';
import { type PrivateEngine, startPrivateEngine } from './testing/private-engine.ts';

const missing = engineMissing();
const { signal } = new AbortController();
const VALUE = 'a value that nobody may see 0815';
const TMPFS = 0x01021994;

/** The value as it is, and in the ways that bytes are usually written. */
const FORMS = [
  VALUE,
  Buffer.from(VALUE).toString('base64').slice(0, -4),
  Buffer.from(VALUE).toString('hex'),
] as const;

const tells = (text: string) => FORMS.some((form) => text.includes(form));

const files = [
  { kind: 'secret', name: 'pw', target: 'pw', mode: 0o400, data: Buffer.from(VALUE) },
  { kind: 'config', name: 'conf', target: '/etc/app.conf', mode: 0o444, data: Buffer.from('a=1') },
] as const;

interface Inspected {
  readonly Mounts: readonly { readonly Source: string; readonly Destination: string; readonly RW: boolean }[];
}

describe.skipIf(missing !== undefined)(missing ?? 'given a real engine', { timeout: 120_000 }, () => {
  let engine: PrivateEngine;

  beforeAll(async () => {
    engine = await startPrivateEngine();
  });
  afterAll(() => engine?.dispose());

  const inspect = (id: string | undefined) => engine.request<Inspected>('GET', `/containers/${id}/json`);

  /** Every file that the engine keeps, but for those that containers are made of. */
  async function keptByEngine(): Promise<string[]> {
    const entries = await readdir(join(dirname(engine.socketPath), 'data', 'containers'), {
      recursive: true,
      withFileTypes: true,
    });
    const kept = entries.filter((entry) => entry.isFile());
    return Promise.all(kept.map(({ parentPath, name }) => readFile(join(parentPath, name), 'utf8')));
  }

  test('when a task with a secret runs, then it is a file in memory for it alone, and nowhere else', async () => {
    const machine = new DockerMachine(engine, 'unknown');
    const driver = await machine.openDriver();
    const script = 'trap "exit 0" TERM; while :; do sleep 0.05; done';
    const task = machine.task(scriptSpec(script), { files });
    const runtime = driver.runtime(task);
    await runtime.prepare({ signal });
    await runtime.start({ signal });
    const [listed] = await machine.containersOf(task);
    const told = await inspect(listed?.Id);
    const secret = told.Mounts.find(({ Destination }) => Destination === '/run/secrets/pw');
    expect(secret).toMatchObject({ RW: false, Source: expect.stringMatching(/^\/(dev\/shm|run\/skep)\//) });
    const source = secret?.Source ?? '';
    expect(await readFile(source, 'utf8')).toBe(VALUE);
    expect((await stat(dirname(source))).mode & 0o777).toBe(0o700);
    expect((await stat(dirname(dirname(source)))).mode & 0o777).toBe(0o700);
    expect((await statfs(source)).type).toBe(TMPFS);
    const seen = await runtime.exec?.(
      ['sh', '-c', 'cat /run/secrets/pw; echo x > /run/secrets/pw || echo; rm /run/secrets/pw || env'],
      { signal },
    );
    expect(seen?.output.startsWith(VALUE)).toBe(true);
    expect(tells(seen?.output.slice(VALUE.length) ?? '')).toBe(false);
    expect(await readFile(source, 'utf8')).toBe(VALUE);
    expect(tells(JSON.stringify(told))).toBe(false);
    expect(tells(JSON.stringify(await engine.request('GET', '/containers/json?all=1')))).toBe(false);
    expect((await keptByEngine()).filter(tells)).toEqual([]);
    expect(tells(await engine.log())).toBe(false);
    await runtime.stop({ graceMs: 1_000, signal });
    await runtime.remove({ signal });
    expect(existsSync(dirname(source))).toBe(false);
    expect(tasksWithMemoryFiles(machine.context)).toEqual([]);
    await machine.dispose();
    expect(await machine.leftovers()).toEqual([]);
  });

  test('when there is no directory in memory, then tasks with secrets are refused, and others run', async () => {
    const machine = new DockerMachine(engine, 'unknown');
    const driver = await machine.openDriver({ memoryDir: '/proc' });
    const task = machine.task(scriptSpec('true'), { files });
    const runtime = driver.runtime(task);
    const refusal = expect(runtime.prepare({ signal })).rejects;
    await refusal.toMatchObject({
      code: 'DRIVER',
      temporary: false,
      message: expect.stringContaining('/proc is not a directory in memory'),
    });
    expect(await machine.containersOf(task)).toEqual([]);
    await runtime.remove({ signal });
    const other = driver.runtime(machine.task(scriptSpec('true')));
    await other.prepare({ signal });
    await other.start({ signal });
    expect(await other.wait({ signal })).toMatchObject({ exitCode: 0 });
    await other.remove({ signal });
    await machine.dispose();
  });

  test('when a service uses a secret, then that can not be removed, is rotated into new tasks, and goes with them', async () => {
    const cluster = await Cluster.open({
      driver: new DockerDriver({ engine: `unix://${engine.socketPath}` }),
    });
    try {
      const bytes = (text: string) => new TextEncoder().encode(text);
      await cluster.secrets.create({ name: 'pw' }, bytes('first'));
      const script = 'trap "exit 0" TERM; cat /run/secrets/pw; echo; while :; do sleep 0.05; done';
      await cluster.services.create({
        name: 'web',
        task: scriptSpec(script, { secrets: [{ name: 'pw' }], stopGraceMs: 1_000 }),
      });
      await cluster.services.waitFor('web', 'running', { timeout: 30_000 });
      await expect(cluster.secrets.remove('pw')).rejects.toBeInstanceOf(InUseError);
      await cluster.secrets.rotate('pw', bytes(VALUE));
      await cluster.services.waitFor('web', 'updated', { timeout: 30_000 });
      const [task] = cluster.tasks.list({ service: 'web', state: 'running' });
      const reading = await cluster.tasks.exec(task?.id ?? '', ['cat', '/run/secrets/pw']);
      expect(await reading.text()).toMatchObject({ exitCode: 0, stdout: VALUE });
      const told = await inspect(task?.status.runtime?.id);
      expect(tells(JSON.stringify(told))).toBe(false);
      const dirs = told.Mounts.map(({ Source }) => dirname(Source));
      expect(dirs.map((dir) => existsSync(dir))).toEqual([true]);
      await cluster.services.remove('web');
      await cluster.services.waitFor('web', 'removed', { timeout: 30_000 });
      expect(dirs.map((dir) => existsSync(dir))).toEqual([false]);
      await cluster.secrets.remove('pw');
      expect(cluster.secrets.list()).toEqual([]);
    } finally {
      await cluster.close();
    }
  });
});

describe('given an engine that is on another machine', () => {
  test('when a task has secrets or configs, then it is refused before anything is asked of the engine', () => {
    const driver = new DockerDriver({ engine: 'tcp://192.0.2.1:2375' });
    const asks = { secrets: [{ name: 'pw' }], configs: [{ name: 'conf' }] };
    const refused = driver.check(taskSpecSchema.parse(scriptSpec('true', asks)));
    expect(refused.map(({ field }) => field)).toEqual(['secrets', 'configs']);
    expect(refused[0]?.rule).toContain('need an engine on this machine');
  });
});
