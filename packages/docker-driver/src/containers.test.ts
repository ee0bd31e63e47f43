import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LogChunk } from '@skep/core/driver';
import type { TaskSpecInput } from '@skep/core/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { DockerDriver } from './docker-driver.ts';
import type { DockerDriverOptions } from './options.ts';
import { DockerMachine, scriptSpec } from './testing/docker-machine.ts';
import { engineMissing } from './testing/engine-requirements.ts';
import { type PrivateEngine, startPrivateEngine } from './testing/private-engine.ts';

const missing = engineMissing();
const { signal } = new AbortController();

async function textOf(chunks: AsyncIterable<LogChunk>): Promise<string> {
  let text = '';
  for await (const { data } of chunks) text += Buffer.from(data).toString();
  return text;
}

describe.skipIf(missing !== undefined)(missing ?? 'given a real engine', { timeout: 120_000 }, () => {
  let engine: PrivateEngine;
  let machine: DockerMachine;
  let dir: string;

  beforeAll(async () => {
    engine = await startPrivateEngine();
    dir = await mkdtemp(join(tmpdir(), 'skep-docker-'));
    await chmod(dir, 0o755);
    await writeFile(join(dir, 'told.txt'), 'from the host');
  });
  afterAll(async () => {
    await engine?.dispose();
    if (dir !== undefined) await rm(dir, { recursive: true, force: true });
  });
  beforeEach(() => {
    machine = new DockerMachine(engine, 'unknown');
  });
  afterEach(async () => {
    await machine.dispose();
    expect(await machine.leftovers()).toEqual([]);
  });

  /** What a task prints, run to its end. */
  async function printed(
    script: string,
    spec: TaskSpecInput = {},
    options: DockerDriverOptions = {},
    change: Parameters<DockerMachine['task']>[1] = {},
  ): Promise<{ readonly text: string; readonly driver: DockerDriver }> {
    const driver = await machine.openDriver(options);
    const runtime = driver.runtime(machine.task(scriptSpec(script, spec), change));
    await runtime.prepare({ signal });
    await runtime.start({ signal });
    const { exitCode } = await runtime.wait({ signal });
    const text = await textOf(runtime.logs({}));
    expect(exitCode, text).toBe(0);
    await runtime.remove({ signal });
    return { text, driver };
  }

  test('when a task asks for all that a spec can say, then the container has it', async () => {
    const spec: TaskSpecInput = {
      env: { GREETING: 'hello' },
      dir: '/tmp',
      user: '1000:1000',
      hostname: 'box',
      readOnly: true,
      init: true,
      ulimits: { nofile: { soft: 100, hard: 200 } },
      sysctls: { 'net.core.somaxconn': '77' },
      capabilityDrop: ['ALL'],
      capabilityAdd: ['NET_BIND_SERVICE'],
      labels: { tier: 'web', 'skep.task.id': 'forged' },
      stopSignal: 'SIGINT',
      resources: {
        limits: { cpus: 0.5, memoryBytes: 64 * 2 ** 20, pids: 50 },
        reservations: { cpus: 0.25, memoryBytes: 32 * 2 ** 20 },
      },
      mounts: [
        { type: 'bind', source: dir, target: '/host', readOnly: true },
        { type: 'volume', source: `data-${machine.context.nodeId}`, target: '/data' },
        { type: 'tmpfs', target: '/scratch' },
      ],
      logDriver: { name: 'json-file', options: { 'max-size': '1m' } },
    };
    const script = [
      'echo $GREETING $SKEP_TASK_SLOT $SKEP_SERVICE_NAME',
      'pwd; id -u; hostname; ulimit -n; cat /proc/sys/net/core/somaxconn; cat /host/told.txt; echo',
      'echo x > /scratch/a && cat /scratch/a; echo y > /etc/a || echo read only',
      'ps | head -n 2 | tail -n 1',
    ].join('\n');
    const driver = await machine.openDriver();
    const task = machine.task(scriptSpec(script, spec));
    const runtime = driver.runtime(task);
    await runtime.prepare({ signal });
    const [listed] = await machine.containersOf(task);
    const { HostConfig, Config } = await engine.request<{
      HostConfig: Record<string, unknown>;
      Config: Record<string, unknown>;
    }>('GET', `/containers/${listed?.Id}/json`);
    expect(HostConfig).toMatchObject({
      NanoCpus: 5e8,
      Memory: 64 * 2 ** 20,
      MemoryReservation: 32 * 2 ** 20,
      CpuShares: 256,
      PidsLimit: 50,
      CapAdd: expect.arrayContaining([expect.stringMatching(/NET_BIND_SERVICE$/)]),
      CapDrop: ['ALL'],
      LogConfig: { Type: 'json-file', Config: { 'max-size': '1m' } },
      RestartPolicy: { Name: 'no' },
      Privileged: false,
    });
    expect(Config).toMatchObject({ StopSignal: 'SIGINT', StopTimeout: 10 });
    expect(Config['Labels']).toMatchObject({ tier: 'web', 'skep.task.id': task.id });
    const volume = await engine.request('GET', `/volumes/data-${machine.context.nodeId}`);
    expect(volume).toMatchObject({
      Labels: { 'skep.cluster.id': machine.context.clusterId, 'skep.node.id': machine.context.nodeId },
    });
    await runtime.start({ signal });
    await runtime.wait({ signal });
    const lines = (await textOf(runtime.logs({}))).split('\n').filter((line) => !/can't create/.test(line));
    expect(lines.slice(0, 9)).toEqual([
      'hello 1 web',
      ...['/tmp', '1000', 'box', '100', '77', 'from the host', 'x', 'read only'],
    ]);
    expect(lines[9]).toMatch(/docker-init|tini/);
    await runtime.remove({ signal });
    await engine.request('DELETE', `/volumes/data-${machine.context.nodeId}`);
  });

  test('when a task has secrets and configs, then they are files in memory that go with its end', async () => {
    const files = [
      { kind: 'secret', name: 'pw', target: 'pw', mode: 0o400, data: Buffer.from('hunter2') },
      { kind: 'config', name: 'conf', target: '/etc/app.conf', mode: 0o444, data: Buffer.from('a=1') },
    ] as const;
    const script =
      'cat /run/secrets/pw /etc/app.conf; busybox stat -c %a /run/secrets/pw; echo z > /run/secrets/pw || true';
    const { text } = await printed(script, {}, {}, { files });
    expect(text).toContain('hunter2a=1400\n');
    const { tasksWithMemoryFiles } = await import('@skep/core/node');
    expect(tasksWithMemoryFiles(machine.context)).toEqual([]);
  });

  test('when a task has a terminal, then its output comes raw', async () => {
    const { text } = await printed('test -t 1 && echo terminal', { tty: true });
    expect(text).toBe('terminal\r\n');
  });

  test('when a task is privileged or asks for a device, then only where the owner allows it', async () => {
    const device = { devices: [{ source: '/dev/null', target: '/dev/other' }] };
    const plain = machine.createDriver();
    const told = plain.check(machine.task(scriptSpec('true', { privileged: true, ...device })).spec);
    expect(told.map(({ field }) => field)).toEqual(['privileged', 'devices[0].source']);
    const options = { allowPrivileged: true, allowDevices: ['/dev/null'] };
    const { text, driver } = await printed('test -c /dev/other && echo device', device, options);
    expect(text).toBe('device\n');
    const privileged = machine.task(scriptSpec('true', { privileged: true }));
    await driver.runtime(privileged).prepare({ signal });
    const [listed] = await machine.containersOf(privileged);
    const { HostConfig } = await engine.request<{ HostConfig: object }>(
      'GET',
      `/containers/${listed?.Id}/json`,
    );
    expect(HostConfig).toMatchObject({ Privileged: true });
    await driver.runtime(privileged).remove({ signal });
  });

  test('when a task takes more memory than it may, then its end says so', async () => {
    const driver = await machine.openDriver();
    const script = 'sleep 0.2; exec tail /dev/zero';
    const limits = { memoryBytes: 8 * 2 ** 20 };
    const runtime = driver.runtime(machine.task(scriptSpec(script, { resources: { limits } })));
    await runtime.prepare({ signal });
    await runtime.start({ signal });
    expect(await runtime.wait({ signal })).toEqual({ exitCode: 137, signal: 'SIGKILL', outOfMemory: true });
    await runtime.remove({ signal });
  });

  test('when an image brings a health check, then it is awaited, and its failure is told', async () => {
    const check = 'HEALTHCHECK --interval=1s --retries=1 CMD ["/bin/test", "!", "-e", "/tmp/sick"]';
    await engine.importImage('tiny-checked', { changes: [check] });
    const driver = await machine.openDriver();
    const task = machine.task(scriptSpec('sleep 1000', { image: 'tiny-checked' }));
    const runtime = driver.runtime(task);
    await runtime.prepare({ signal });
    await runtime.start({ signal });
    let healthy = 0;
    const reason = runtime.watchHealth?.({
      signal,
      onHealthy: () => {
        healthy += 1;
        void runtime.exec?.(['touch', '/tmp/sick'], { signal });
      },
    });
    expect(await reason).toMatch(/^the image's health check failed with code 1/);
    expect(healthy).toBe(1);
    await runtime.stop({ graceMs: 0, signal });
    await runtime.remove({ signal });
    const off = machine.task(
      scriptSpec('true', { image: 'tiny-checked', health: { test: { kind: 'none' } } }),
    );
    await driver.runtime(off).prepare({ signal });
    const [listed] = await machine.containersOf(off);
    const { Config } = await engine.request<{ Config: object }>('GET', `/containers/${listed?.Id}/json`);
    expect(Config).toMatchObject({ Healthcheck: { Test: ['NONE'] } });
    await driver.runtime(off).remove({ signal });
  });

  test.each<[string, TaskSpecInput, RegExp]>([
    [
      'a bind source that is not there',
      { mounts: [{ type: 'bind', source: '/no/such/path', target: '/data' }] },
      /bind source path does not exist: \/no\/such\/path/,
    ],
    [
      'a log option that is none',
      { logDriver: { name: 'json-file', options: { wings: '2' } } },
      /unknown log opt 'wings'/,
    ],
    ['a user that the image does not know', { user: 'nobody-there' }, /unable to find user nobody-there/],
    ['a kernel setting that is not its own', { sysctls: { 'vm.swappiness': '1' } }, /vm\.swappiness/],
  ])(
    'when a task asks for %s, then it is refused for good, in the words of the engine',
    async (_, spec, words) => {
      const driver = await machine.openDriver();
      const runtime = driver.runtime(machine.task(scriptSpec('true', spec)));
      const error = await runtime
        .prepare({ signal })
        .then(() => runtime.start({ signal }))
        .then(
          () => undefined,
          (reason: unknown) => reason,
        );
      expect(error).toMatchObject({
        code: 'DRIVER',
        temporary: false,
        message: expect.stringMatching(words),
      });
      await runtime.remove({ signal });
    },
  );

  test("when a stranger's container has the name, then the task is refused and the stranger left alone", async () => {
    const driver = await machine.openDriver();
    const task = machine.task(scriptSpec('true'));
    const stranger = await engine.request<{ Id: string }>('POST', `/containers/create?name=${task.name}`, {
      Image: 'tiny:latest',
      Cmd: ['true'],
    });
    const runtime = driver.runtime(task);
    await expect(runtime.prepare({ signal })).rejects.toMatchObject({
      temporary: false,
      message: expect.stringContaining(`is taken by container ${stranger.Id.slice(0, 12)}`),
    });
    await runtime.stop({ graceMs: 0, signal });
    await runtime.remove({ signal });
    await engine.request('DELETE', `/containers/${stranger.Id}`);
  });

  test('when a port is taken, then the start is refused for good', async () => {
    const driver = await machine.openDriver();
    const ports = [
      { target: 80, protocol: 'tcp', mode: 'host', published: await machine.freePort() },
    ] as const;
    const [first, second] = [1, 2].map(() =>
      driver.runtime(machine.task(scriptSpec('sleep 1000'), { ports })),
    );
    await first?.prepare({ signal });
    await first?.start({ signal });
    await second?.prepare({ signal });
    await expect(second?.start({ signal })).rejects.toMatchObject({
      temporary: false,
      message: expect.stringMatching(/port is already allocated|address already in use/),
    });
    await first?.stop({ graceMs: 0, signal });
    await Promise.all([first?.remove({ signal }), second?.remove({ signal })]);
  });
});
