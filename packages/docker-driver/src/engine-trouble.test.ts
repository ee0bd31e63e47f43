import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { DockerDriverOptions } from './options.ts';
import { DockerMachine, scriptSpec } from './testing/docker-machine.ts';
import { engineMissing } from './testing/engine-requirements.ts';
import { FaultProxy } from './testing/fault-proxy.ts';
import { type PrivateEngine, startPrivateEngine } from './testing/private-engine.ts';

const missing = engineMissing();
const { signal } = new AbortController();
const RUNS = scriptSpec('trap "exit 0" TERM; while :; do sleep 0.05; done');

const reasonOf = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

describe.skipIf(missing !== undefined)(
  missing ?? 'given an engine that is sick',
  { timeout: 120_000 },
  () => {
    let engine: PrivateEngine;
    let proxy: FaultProxy;
    let machine: DockerMachine;
    let dir: string;

    beforeAll(async () => {
      engine = await startPrivateEngine();
    });
    afterAll(() => engine?.dispose());
    beforeEach(async () => {
      dir = await mkdtemp(join(tmpdir(), 'skep-proxy-'));
      proxy = new FaultProxy(engine.socketPath, join(dir, 'engine.sock'));
      await proxy.start();
      machine = new DockerMachine(engine, 'unknown');
    });
    afterEach(async () => {
      await machine.dispose();
      await proxy.stop();
      await rm(dir, { recursive: true, force: true });
      expect(await machine.leftovers()).toEqual([]);
    });

    const open = (options: DockerDriverOptions = {}) =>
      machine.openDriver({ engine: `unix://${proxy.socketPath}`, ...options });

    const failing = (
      method: string,
      pattern: RegExp,
      message = 'the engine is sick',
      times = Number.POSITIVE_INFINITY,
    ) => {
      let left = times;
      proxy.rule = (called, path) =>
        called === method && pattern.test(path) && left-- > 0
          ? { kind: 'status', status: 500, message }
          : undefined;
    };

    test.each([
      ['create', /\/containers\/create$/],
      ['start', /\/start$/],
    ])(
      'when %s is answered with 500, then it is tried a few times and given up in its words',
      async (step, pattern) => {
        const driver = await open({ attempts: 3 });
        const runtime = driver.runtime(machine.task(RUNS));
        failing('POST', pattern);
        if (step === 'start') await runtime.prepare({ signal });
        const begin = () =>
          reasonOf(step === 'start' ? runtime.start({ signal }) : runtime.prepare({ signal }));
        const errors = [await begin(), await begin(), await begin()];
        expect(errors.map((error) => (error as { temporary: boolean }).temporary)).toEqual([
          true,
          true,
          false,
        ]);
        expect(String(errors[2])).toMatch(/the engine is sick \(given up after 3 attempts\)/);
        proxy.rule = () => undefined;
        await runtime.remove({ signal });
      },
    );

    test('when 500 passes, then the task runs, once', async () => {
      const driver = await open();
      const task = machine.task(RUNS);
      const runtime = driver.runtime(task);
      failing('POST', /\/start$/, 'not now', 1);
      await runtime.prepare({ signal });
      expect(await reasonOf(runtime.start({ signal }))).toMatchObject({ temporary: true });
      await runtime.start({ signal });
      expect(await machine.alive(task)).toBe(1);
      await runtime.remove({ signal });
    });

    test('when the disk is full, then the task is refused at once, in the words of the engine', async () => {
      const driver = await open();
      const runtime = driver.runtime(machine.task(RUNS));
      failing('POST', /\/containers\/create$/, 'mkdir /var/lib/docker/x: no space left on device');
      expect(await reasonOf(runtime.prepare({ signal }))).toMatchObject({
        temporary: false,
        message: expect.stringContaining('no space left on device'),
      });
      await runtime.remove({ signal });
    });

    test('when the answer to create is lost, then the container is found again, or removed', async () => {
      const driver = await open();
      const lose = () => {
        let left = 1;
        proxy.rule = (_, path) =>
          path === '/containers/create' && left-- > 0 ? { kind: 'lost-answer' } : undefined;
      };
      const kept = machine.task(RUNS);
      lose();
      expect(await reasonOf(driver.runtime(kept).prepare({ signal }))).toMatchObject({ temporary: true });
      const runtime = driver.runtime(kept);
      await runtime.prepare({ signal });
      await runtime.start({ signal });
      expect(await machine.containersOf(kept)).toHaveLength(1);
      await runtime.remove({ signal });
      const dropped = driver.runtime(machine.task(RUNS));
      lose();
      await reasonOf(dropped.prepare({ signal }));
      expect(await machine.leftovers()).toHaveLength(1);
      await dropped.remove({ signal });
      expect(await machine.leftovers()).toEqual([]);
    });

    test('when the caller gives up while the container is made, then its removal waits for it', async () => {
      const driver = await open();
      const runtime = driver.runtime(machine.task(RUNS));
      const giveUp = new AbortController();
      const preparing = reasonOf(runtime.prepare({ signal: giveUp.signal }));
      while (!proxy.calls.includes('POST /containers/create'))
        await new Promise((resolve) => setImmediate(resolve));
      giveUp.abort(new Error('changed my mind'));
      expect(String(await preparing)).toContain('changed my mind');
      await runtime.remove({ signal });
      expect(await machine.leftovers()).toEqual([]);
    });

    test('when the engine hangs, then the caller can give up, and nothing is left', async () => {
      const driver = await open();
      const runtime = driver.runtime(machine.task(RUNS));
      await runtime.prepare({ signal });
      proxy.rule = (_, path) => (path.endsWith('/start') ? { kind: 'hang' } : undefined);
      const giveUp = new AbortController();
      const starting = reasonOf(runtime.start({ signal: giveUp.signal }));
      while (!proxy.calls.includes('POST /containers/ID/start'))
        await new Promise((resolve) => setImmediate(resolve));
      giveUp.abort(new Error('long enough'));
      expect(String(await starting)).toContain('long enough');
      proxy.breakConnections();
      await runtime.remove({ signal });
    });

    test('when the stream of events breaks, then an end in the meantime is learnt all the same', async () => {
      const driver = await open();
      const task = machine.task(RUNS);
      const runtime = driver.runtime(task);
      await runtime.prepare({ signal });
      await runtime.start({ signal });
      const ended = runtime.wait({ signal });
      proxy.rule = (_, path) =>
        path === '/events' ? { kind: 'status', status: 500, message: 'deaf' } : undefined;
      proxy.breakConnections();
      await machine.kill(task);
      proxy.rule = () => undefined;
      expect(await ended).toMatchObject({ exitCode: 137 });
      await runtime.remove({ signal });
    });

    test('when a container is removed behind our back, then its waiter is told so', async () => {
      const driver = await open();
      const task = machine.task(RUNS);
      const runtime = driver.runtime(task);
      await runtime.prepare({ signal });
      await runtime.start({ signal });
      const ended = reasonOf(runtime.wait({ signal }));
      const [{ Id } = { Id: '' }] = await machine.containersOf(task);
      await engine.request('DELETE', `/containers/${Id}?force=1`);
      const error = await ended;
      // Its end may be seen before it is gone.
      if (error !== undefined) expect(String(error)).toMatch(/is gone: it was removed behind Skep's back/);
      await expect(runtime.wait({ signal })).rejects.toThrow(/is gone/);
      await runtime.stop({ graceMs: 0, signal });
      await runtime.remove({ signal });
    });

    test('when tasks run and nothing happens, then the engine is asked nothing', async () => {
      const driver = await open();
      const runtimes = [1, 2, 3].map(() => driver.runtime(machine.task(RUNS)));
      for (const runtime of runtimes) {
        await runtime.prepare({ signal });
        await runtime.start({ signal });
        void reasonOf(runtime.wait({ signal }));
      }
      const calls = proxy.calls.filter((call) => !/version|events|containers\/json/.test(call));
      expect(calls).toEqual(runtimes.flatMap(() => ['POST /containers/create', 'POST /containers/ID/start']));
      await Promise.all(runtimes.map((runtime) => runtime.remove({ signal })));
    });

    test('when no engine is there, then opening says where it was looked for', async () => {
      const driver = machine.createDriver({ engine: 'unix:///no/such/engine.sock' });
      await expect(driver.open(machine.context)).rejects.toThrow(
        /^no Docker Engine at unix:\/\/\/no\/such\/engine.sock: .*ENOENT/,
      );
      expect(() => machine.createDriver({ engine: 'docker.sock' })).toThrow(
        'must be unix:///path or tcp://host:port',
      );
    });
  },
);
