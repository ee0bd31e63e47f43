import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { engineMissing, type PrivateEngine, startPrivateEngine } from '@skep/docker-driver/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runExample } from './run-example.ts';

describe('the embed example', () => {
  it('when it is run, then a service answers, is scaled, and all ends', async () => {
    const { lines, exit } = runExample('embed/embed.ts');
    expect(await exit, lines.join('\n')).toBe(0);
    expect(lines[0]).toMatch(/^hello from task [0-9a-z]{25}$/);
    expect(lines[1]).toBe('1 of 1 tasks run');
  });

  it('is at most 30 lines long', async () => {
    const text = await readFile(fileURLToPath(new URL('embed/embed.ts', import.meta.url)), 'utf8');
    expect(text.trimEnd().split('\n').length).toBeLessThanOrEqual(30);
  });
});

describe('the custom driver example', () => {
  it('when it is run, then functions are kept running and restarted when they throw', async () => {
    const { lines, exit } = runExample('custom-driver/custom-driver.ts');
    expect(await exit, lines.join('\n')).toBe(0);
    expect(lines.filter((line) => line.startsWith('hello from greeter.'))).toHaveLength(2);
    expect(lines.at(-1)).toBe('flaky runs at attempt 3');
  });
});

describe('the nodes example', () => {
  it('when it is run, then two nodes do the work, one is worked with from the other, and leaves', async () => {
    const { lines, exit } = runExample('nodes/nodes.ts');
    expect(await exit, lines.join('\n')).toBe(0);
    expect([...lines.slice(0, 2)].sort().map((line) => line.replace(/\d$/, 'N'))).toEqual([
      'manager: hello from greeter.N',
      'worker: hello from greeter.N',
    ]);
    expect(lines.slice(2)).toEqual(['said beside a task, and ended with 0', '2 tasks run on 1 node']);
  });
});

describe('the what-if example', () => {
  it('when it is run, then plans come true or are refused, and a waiting task says what would help', async () => {
    const { lines, exit } = runExample('what-if/what-if.ts');
    expect(await exit, lines.join('\n')).toBe(0);
    expect(lines).toEqual([
      'web.2 would go to one',
      expect.stringMatching(/^web\.4 would wait: no suitable node/),
      'replicas: 5 would become 9',
      'the plan to drain is out of date: plan again',
      expect.stringMatching(/^web\.9 waits: no suitable node .*insufficient resources on 2 nodes: cpus/),
      'what would help: 1 more CPU on any of 2 nodes',
      'what would help: label node.labels.disk=ssd on three',
      'what would help: a new node with 1 CPU, node.labels.disk==ssd',
      'web.9 runs on three',
    ]);
  });
});

describe('the time travel example', () => {
  it('when it is run, then a service that is gone tells its story, and is seen as it was', async () => {
    const { lines, exit } = runExample('time-travel/time-travel.ts');
    expect(await exit, lines.join('\n')).toBe(0);
    expect(lines).toEqual([
      'now there are 0 services',
      'ann: service.created',
      'bob: service.updated, spec.replicas 3 -> 1, spec.task.image web:1 -> web:2',
      'eve: service.removed',
      'then 3 of 3 tasks ran web:1',
      'web.1 went from new to shutdown',
      'history begins with event 1',
    ]);
  });
});

const missing = engineMissing();

describe.skipIf(missing !== undefined)(missing ?? 'the examples that need a Docker Engine', () => {
  let engine: PrivateEngine;
  const variables = () => ({ DOCKER_HOST: `unix://${engine.socketPath}` });
  const containers = () => engine.request('GET', '/containers/json?all=1');

  beforeAll(async () => {
    engine = await startPrivateEngine({ images: [] });
    // Each test can be run alone: the mini-cluster needs images that the docker example makes for itself.
    const makeImages = fileURLToPath(new URL('docker/make-images.sh', import.meta.url));
    await promisify(execFile)('sh', [makeImages], { env: { ...process.env, ...variables() } });
  });
  afterAll(() => engine?.dispose());

  it('when the docker example is run, then its containers answer, one is healed, and none is left', async () => {
    const { lines, exit } = runExample('docker/docker.ts', [], variables());
    expect(await exit, lines.join('\n')).toBe(0);
    expect(lines.slice(0, 3)).toEqual(
      [1, 2, 3].map((slot) => expect.stringMatching(`^web.${slot}: hello: task web.${slot}.`)),
    );
    expect(lines[3]).toMatch(/^killing container [0-9a-f]{12}$/);
    expect(lines[4]).toMatch(/^web.\d runs again$/);
    expect(await containers()).toEqual([]);
  }, 120_000);

  it('when the mini-cluster runs on it, then its stack converges on five nodes, and none is left', async () => {
    const args = ['--driver', 'docker', '--once', '--cpus', '1', '--memory', '512M', '--timeout', '100'];
    const { lines, exit } = runExample('mini-cluster/main.ts', args, variables());
    expect(await exit, lines.join('\n')).toBe(0);
    expect(lines.join('\n')).toMatch(/hello_web +replicated +3\/3 +skep-hello-web/);
    expect(await containers()).toEqual([]);
  }, 120_000);

  it('when a stack can not run on it, then it exits with 1 and tells why in the words of the engine', async () => {
    const stack = fileURLToPath(new URL('stacks/visualizer.yaml', import.meta.url));
    const args = ['--driver', 'docker', '--once', '--timeout', '5', '--stack', stack];
    const { lines, exit } = runExample('mini-cluster/main.ts', args, variables());
    expect(await exit).toBe(1);
    expect(lines.join('\n')).toContain('bind source path does not exist: /var/run/docker.sock');
    expect(await containers()).toEqual([]);
  }, 120_000);
});
