import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { registryOf } from './image-pull.ts';
import type { PullProgress } from './pull-types.ts';
import { DockerMachine } from './testing/docker-machine.ts';
import { engineMissing } from './testing/engine-requirements.ts';
import { type PrivateEngine, startPrivateEngine } from './testing/private-engine.ts';
import { TinyRegistry } from './testing/tiny-registry.ts';

const missing = engineMissing();
const { signal } = new AbortController();

test.each([
  ['nginx', 'docker.io'],
  ['bitnami/nginx:1', 'docker.io'],
  ['localhost/x', 'localhost'],
  ['registry.example.com:5000/a/b@sha256:0', 'registry.example.com:5000'],
])('given %s, then its registry is %s', (reference, registry) => {
  expect(registryOf(reference)).toBe(registry);
});

describe.skipIf(missing !== undefined)(
  missing ?? 'given an engine and a registry behind tokens',
  { timeout: 120_000 },
  () => {
    let engine: PrivateEngine;
    let registry: TinyRegistry;
    let machine: DockerMachine;

    beforeAll(async () => {
      engine = await startPrivateEngine({ images: [] });
    });
    afterAll(() => engine?.dispose());
    beforeEach(async () => {
      registry = new TinyRegistry();
      await registry.start();
      registry.credentials = 'me:first';
      machine = new DockerMachine(engine, 'unknown');
    });
    afterEach(async () => {
      await machine.dispose();
      await registry.stop();
      expect(await machine.leftovers()).toEqual([]);
    });

    const taskOf = (name: string) => machine.task({ image: `${registry.host}/${name}`, args: ['/bin/true'] });

    test('when tasks need images, then the provider is asked anew for each pull, and progress is told', async () => {
      const asked: string[] = [];
      const progress: PullProgress[] = [];
      let password = 'first';
      const driver = await machine.openDriver({
        registryAuth: ({ reference, registry: host }) => {
          asked.push(`${host} ${reference}`);
          return { username: 'me', password };
        },
        onPullProgress: (told) => progress.push(told),
      });
      const first = driver.runtime(taskOf('tiny/a:1'));
      await first.prepare({ signal });
      expect(asked).toEqual([`${registry.host} ${registry.host}/tiny/a:1`]);
      expect(progress.map(({ status }) => status)).toContain('Pull complete');
      expect(progress.every(({ reference }) => reference === `${registry.host}/tiny/a:1`)).toBe(true);
      registry.credentials = 'me:second';
      registry.expireTokens();
      password = 'second';
      const second = driver.runtime(taskOf('tiny/b:1'));
      await second.prepare({ signal });
      expect(asked).toHaveLength(2);
      expect(registry.requests.map(({ credentials }) => credentials)).toContain('me:second');
      await Promise.all([first.remove({ signal }), second.remove({ signal })]);
    });

    test('when many tasks need one image at once, then it is pulled once', async () => {
      let asked = 0;
      const driver = await machine.openDriver({
        registryAuth: () => {
          asked += 1;
          return { username: 'me', password: 'first' };
        },
      });
      const runtimes = [1, 2, 3, 4].map(() => driver.runtime(taskOf('tiny/c:1')));
      await Promise.all(runtimes.map((runtime) => runtime.prepare({ signal })));
      expect(asked).toBe(1);
      await Promise.all(runtimes.map((runtime) => runtime.remove({ signal })));
    });

    test.each([
      ['the credentials are wrong', 'tiny/d:1', { username: 'me', password: 'wrong' }],
      ['there are no credentials', 'tiny/d:1', undefined],
      ['there is no such image', 'unknown/d:1', { username: 'me', password: 'first' }],
    ])(
      'when %s, then the task is refused for good with the reason, and without the password',
      async (_, name, auth) => {
        const driver = await machine.openDriver({ registryAuth: () => auth });
        const runtime = driver.runtime(taskOf(name));
        const error = await runtime.prepare({ signal }).then(
          () => undefined,
          (reason: unknown) => reason,
        );
        expect(error).toMatchObject({
          temporary: false,
          message: expect.stringMatching(
            `^image ${registry.host}/${name} could not be pulled: .*(unauthorized|unknown|required|denied|password)`,
          ),
        });
        expect(String(error)).not.toContain('wrong"');
        await runtime.remove({ signal });
      },
    );

    test('when the caller gives up a pull, then it rejects at once and nothing is made', async () => {
      let release = () => {};
      registry.hold = new Promise((resolve) => {
        release = resolve;
      });
      const giveUp = new AbortController();
      const driver = await machine.openDriver({
        registryAuth: () => ({ username: 'me', password: 'first' }),
        onPullProgress: () => giveUp.abort(new Error('changed my mind')),
      });
      const runtime = driver.runtime(taskOf('tiny/e:1'));
      await expect(runtime.prepare({ signal: giveUp.signal })).rejects.toThrow('changed my mind');
      release();
      await runtime.remove({ signal });
    });

    test('when nothing is to be pulled, then an image that is absent is refused', async () => {
      const driver = await machine.openDriver({ pull: 'never' });
      const task = taskOf('tiny/f:1');
      await expect(driver.runtime(task).prepare({ signal })).rejects.toMatchObject({
        temporary: false,
        message: `image ${task.spec.image} is not there, and none is pulled here`,
      });
      expect(registry.requests).toEqual([]);
    });

    test('when the registry is away, then it is tried a few times, and given up', async () => {
      const host = registry.host;
      await registry.stop();
      const driver = await machine.openDriver({ attempts: 2 });
      const runtime = driver.runtime(machine.task({ image: `${host}/tiny/g:1` }));
      const first = await runtime.prepare({ signal }).catch((error: unknown) => error);
      expect(first).toMatchObject({
        temporary: true,
        message: expect.stringContaining('connection refused'),
      });
      await expect(runtime.prepare({ signal })).rejects.toMatchObject({
        temporary: false,
        message: expect.stringContaining('given up after 2 attempts'),
      });
      await registry.start();
    });
  },
);
