/** What the process driver does beyond the conformance suite, on real processes. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { RuntimeTask } from '@skep/core/driver';
import { newId, seededRandom, silentLogger } from '@skep/core/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { ProcessDriver, type ProcessDriverOptions } from './index.ts';
import { bookDir } from './port-book.ts';
import { RealMachine, until } from './testing/real-machine.ts';
import { VERSION } from './version.ts';

const { signal } = new AbortController();
const shell = (script: string) => ({ command: '/bin/sh', args: ['-c', script] });

let machine: RealMachine;

function onMachine(options: ProcessDriverOptions = {}): Promise<ProcessDriver> {
  machine = new RealMachine(options);
  return machine.openDriver();
}

async function start(driver: ProcessDriver, task: RuntimeTask) {
  const runtime = driver.runtime(task);
  await runtime.prepare({ signal });
  return { runtime, status: await runtime.start({ signal }) };
}

async function outputOf(driver: ProcessDriver, task: RuntimeTask): Promise<string> {
  let text = '';
  for await (const { data } of driver.runtime(task).logs({ follow: true }))
    text += new TextDecoder().decode(data);
  return text;
}

afterEach(async () => {
  await machine.dispose();
  expect(await machine.leftovers()).toEqual([]);
});

describe('the environment of a task', () => {
  it('given ports, resources and settings, when it prints its environment, then it has those and no stray ones', async () => {
    process.env['SKEP_TEST_STRAY'] = 'not for tasks';
    const driver = await onMachine({
      programs: { env: { command: 'env', env: { COLOUR: 'blue', SHAPE: 'round' } } },
    });
    const task = machine.task(
      { image: 'env', env: { COLOUR: 'green', dir: 'kept' } },
      {
        ports: [
          { target: 8080, protocol: 'tcp', mode: 'ingress', published: 30_001 },
          { target: 53, protocol: 'udp', mode: 'ingress', published: 30_002 },
        ],
        assignedGeneric: { gpu: ['gpu-1', 'gpu-3'] },
      },
    );
    const { status } = await start(driver, task);
    const lines = (await outputOf(driver, task)).trimEnd().split('\n');
    delete process.env['SKEP_TEST_STRAY'];
    const env = Object.fromEntries(lines.map((line) => line.split(/=(.*)/s)));
    const [web, dns] = status.ports.map(({ port }) => String(port));
    expect(env).toMatchObject({
      COLOUR: 'green',
      SHAPE: 'round',
      dir: 'kept',
      PORT: web,
      SKEP_PORT_8080: web,
      SKEP_PORT_53: dns,
      SKEP_PORT_53_UDP: dns,
      SKEP_RESOURCE_GPU: 'gpu-1,gpu-3',
      SKEP_TASK_ID: task.id,
      SKEP_TASK_NAME: 'web.1',
      SKEP_TASK_SLOT: '1',
      SKEP_SERVICE_NAME: 'web',
      SKEP_NODE_ID: machine.context.nodeId,
      SKEP_NODE_HOSTNAME: machine.context.hostname,
      PATH: process.env['PATH'],
    });
    expect(env['SKEP_TEST_STRAY']).toBeUndefined();
    expect(Object.keys(env).filter((name) => name.startsWith('_skep'))).toEqual([]);
  });

  it('given a value in the environment, when the task runs, then no command line and no file of ours holds it', async () => {
    const driver = await onMachine();
    const task = machine.task({ image: 'runs', env: { PASSWORD: 'hunter2-hunter2' } });
    await start(driver, task);
    for (const { command } of machine.processesOf(task)) expect(command).not.toContain('hunter2');
    const dir = join(machine.dir, 'process-driver', 'tasks', task.id);
    for (const name of readdirSync(dir, { recursive: true, encoding: 'utf8' })) {
      const path = join(dir, name);
      if (statSync(path).isFile()) expect(readFileSync(path, 'utf8')).not.toContain('hunter2');
    }
  });

  it('given the wrapper catches signals, when the program looks, then it finds none ignored and none blocked', async () => {
    const driver = await onMachine({
      programs: { look: { command: 'grep', args: ['-E', '^Sig(Ign|Blk)', '/proc/self/status'] } },
    });
    const task = machine.task({ image: 'look' });
    await start(driver, task);
    expect(await outputOf(driver, task)).toBe('SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n');
  });

  it('given arguments with blanks, quotes and dollars, when the program prints them, then they are as they were', async () => {
    const args = ['a b', '', "it's", '"$HOME"', '-n', '*', 'line\nbreak'];
    const driver = await onMachine({ programs: { print: { command: 'printf', args: ['[%s]'] } } });
    const task = machine.task({ image: 'print', args: ['[%s]', ...args] });
    await start(driver, task);
    expect(await outputOf(driver, task)).toBe(args.map((arg) => `[${arg}]`).join(''));
  });
});

describe('ending a task', () => {
  it('given a program that leaves children behind, when it ends, then they are gone with it', async () => {
    const driver = await onMachine({ programs: { leaves: shell('sleep 100000 & sleep 100000 & exit 3') } });
    const task = machine.task({ image: 'leaves' });
    const { runtime } = await start(driver, task);
    expect(await runtime.wait({ signal })).toEqual({ exitCode: 3 });
    expect(machine.processesOf(task)).toEqual([]);
  });

  it('given a child that ignores the stop signal, when the task is stopped, then its own end takes the child too', async () => {
    const script = '(trap "" TERM; echo ready; while :; do sleep 100000; done) & exec sleep 100000';
    const driver = await onMachine({ programs: { family: shell(script) } });
    const task = machine.task({ image: 'family' });
    const { runtime } = await start(driver, task);
    for await (const _ of runtime.logs({ follow: true })) break;
    await runtime.stop({ graceMs: 3_600_000, signal });
    expect(machine.processesOf(task)).toEqual([]);
  });

  it('given a stop signal of its own, when stopped, then the program gets that one and its code is told', async () => {
    const driver = await onMachine({
      programs: { careful: shell('trap "exit 7" INT; echo ready; while :; do sleep 0.01; done') },
    });
    const task = machine.task({ image: 'careful', stopSignal: 'SIGINT' });
    const { runtime } = await start(driver, task);
    for await (const _ of runtime.logs({ follow: true })) break;
    await runtime.stop({ graceMs: 3_600_000, signal });
    expect(await runtime.wait({ signal })).toEqual({ exitCode: 7 });
  });

  it.each(['own', 'adopted'])(
    'given an %s task, when its wrapper alone is killed, then the rest goes too, and wait tells',
    async (whose) => {
      const driver = await onMachine();
      const task = machine.task({ image: 'runs' });
      const { status } = await start(driver, task);
      const holder = whose === 'own' ? driver : await machine.openDriver();
      const ended = holder.runtime(task).wait({ signal });
      process.kill(Number(status.id.replace('pid ', '')), 'SIGKILL');
      expect(await ended).toMatchObject({ exitCode: 137, signal: 'SIGKILL' });
      expect(machine.processesOf(task)).toEqual([]);
    },
  );

  it('given a task that was stopped before it ran, when started or waited for, then it never runs and has ended', async () => {
    const driver = await onMachine();
    const task = machine.task({ image: 'runs' });
    const runtime = driver.runtime(task);
    await runtime.prepare({ signal });
    await runtime.stop({ graceMs: 0, signal });
    await expect(runtime.start({ signal })).rejects.toThrow('stopped before it was started');
    expect(await runtime.wait({ signal })).toMatchObject({ exitCode: 143 });
    expect(machine.startsOf(task)).toBe(0);
  });

  it('given the number of a dead task went to a stranger, when stopped and removed, then the stranger lives', async () => {
    const driver = await onMachine();
    const task = machine.task({ image: 'runs' });
    const runtime = driver.runtime(task);
    await runtime.prepare({ signal });
    const stranger = spawn('sleep', ['100000'], {
      detached: true,
      env: { SKEP_TEST: machine.mark },
      stdio: 'ignore',
    });
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8');
    const claim = join(machine.dir, 'process-driver', 'tasks', task.id, 'claim');
    writeFileSync(claim, `${stranger.pid}\n12345\n${boot}`);
    const adopter = machine.createDriver();
    expect(await adopter.open(machine.context)).toEqual([{ id: task.id, running: false }]);
    expect(await adopter.runtime(task).wait({ signal })).toMatchObject({ exitCode: 137 });
    await adopter.runtime(task).stop({ graceMs: 0, signal });
    await adopter.runtime(task).remove({ signal });
    expect(stranger.exitCode ?? stranger.signalCode).toBeNull();
    const gone = once(stranger, 'exit');
    stranger.kill('SIGKILL');
    await gone;
  });
});

describe('which program a spec means', () => {
  const programs = { web: { command: 'echo', args: ['from', 'the', 'table'] } };

  it('given an image that is not in the table, when checked or prepared, then the known ones are named', async () => {
    const driver = await onMachine({ programs });
    const task = machine.task({ image: 'nginx:latest' });
    const { rule } = driver.check(task.spec)[0] ?? {};
    expect(rule).toContain("unknown image 'nginx:latest'; this driver knows: ");
    expect(rule).toContain('web');
    await expect(driver.runtime(task).prepare({ signal })).rejects.toMatchObject({
      code: 'DRIVER',
      temporary: false,
    });
    expect(driver.check(machine.task({ image: 'constructor' }).spec)).toHaveLength(1);
  });

  it('given args in the spec, when run, then they replace those of the table', async () => {
    const driver = await onMachine({ programs });
    const task = machine.task({ image: 'web', args: ['from', 'the', 'spec'] });
    await start(driver, task);
    expect(await outputOf(driver, task)).toBe('from the spec\n');
  });

  it('given a command in the spec, when the owner has not allowed any, then it is refused', async () => {
    const driver = await onMachine({ programs });
    const { spec } = machine.task({ image: 'web', command: ['rm'] });
    const { image: _, ...imageless } = spec;
    for (const each of [spec, imageless]) {
      expect(driver.check(each)).toEqual([
        { field: 'command', rule: "is not allowed here: the driver's owner has not set anyCommand" },
      ]);
    }
  });

  it('given any command is allowed, when a spec brings its own, then it runs as it is, whatever its image', async () => {
    const driver = await onMachine({ programs, anyCommand: true });
    for (const image of ['web', 'nginx:latest']) {
      const task = machine.task({ image, command: ['echo', 'own'], args: ['words'] });
      await start(driver, task);
      expect(await outputOf(driver, task)).toBe('own words\n');
    }
    expect(driver.check(machine.task({ image: 'nginx:latest' }).spec)).toHaveLength(1);
  });

  it('given a program or directory that is not fit, when started, then the reason names it', async () => {
    const driver = await onMachine({ anyCommand: true });
    const plain = join(machine.dir, 'plain.txt');
    writeFileSync(plain, 'no program');
    const failure = async (spec: { command: string[]; dir?: string }) => {
      const runtime = driver.runtime(machine.task({ image: 'own', ...spec }));
      await runtime.prepare({ signal });
      const error: unknown = await runtime.start({ signal }).catch((reason: unknown) => reason);
      await runtime.remove({ signal });
      return error instanceof Error ? error.message : undefined;
    };
    expect(await failure({ command: ['no-such-program'] })).toContain(
      "command 'no-such-program' not found (ENOENT)",
    );
    expect(await failure({ command: [plain] })).toBe(`${plain} is not executable (EACCES)`);
    expect(await failure({ command: ['/tmp'] })).toBe('/tmp is a directory, not a program');
    expect(await failure({ command: ['echo'], dir: '/no/such/dir' })).toBe(
      'working directory /no/such/dir does not exist',
    );
    expect(await failure({ command: ['echo'], dir: plain })).toBe(
      `working directory ${plain} is not a directory`,
    );
    expect(await failure({ command: ['echo', 'x'.repeat(4_000_000)] })).toContain('E2BIG');
  });

  it('given a file that is no program after all, when it ends, then the exit tells what the shell said of it', async () => {
    const driver = await onMachine({ anyCommand: true, programs: { calls: shell('no-such-program') } });
    const script = join(machine.dir, 'script');
    writeFileSync(script, '#!/no/such/interpreter\n', { mode: 0o755 });
    const broken = await start(driver, machine.task({ image: 'own', command: [script] }));
    const told = await broken.runtime.wait({ signal });
    expect(told.exitCode).toBeGreaterThanOrEqual(126);
    expect(told.message).toMatch(/^the program (was not found|is not executable): /);
    expect(told.message).toContain(script);
    expect(told.message).not.toContain('task.sh');
    const caller = await start(driver, machine.task({ image: 'calls' }));
    expect(await caller.runtime.wait({ signal })).toEqual({
      exitCode: 127,
      message: 'by the convention of shells: a program that it called was not found',
    });
  });

  it('given a PORT of its own, when the service has ports, then it is refused unless it is the published one', async () => {
    const driver = await onMachine({ programs: { web: { command: 'true', env: { PORT: '8080' } } } });
    const ports = (mode: 'host' | 'ingress', published: number) => ({
      ports: [{ target: 80, protocol: 'tcp' as const, mode, published }],
    });
    const prepare = (task: RuntimeTask) => driver.runtime(task).prepare({ signal });
    const published = await machine.freePort();
    const env = { PORT: String(published) };
    await prepare(machine.task({ image: 'web', env }));
    await prepare(machine.task({ image: 'web', env }, ports('host', published)));
    await expect(prepare(machine.task({ image: 'web', env }, ports('ingress', published)))).rejects.toThrow(
      'env.PORT: must not be set for a service with ports: the driver gives it a free port',
    );
    await expect(prepare(machine.task({ image: 'web' }, ports('host', published)))).rejects.toThrow(
      `env.PORT: must not be set for a service with ports: it is published on ${published}`,
    );
  });

  it('given what a process can not have, when checked, then each field is refused', async () => {
    const driver = await onMachine({ programs });
    const { spec } = machine.task({
      image: 'web',
      user: 'nobody',
      tty: true,
      mounts: [{ type: 'tmpfs', target: '/scratch' }],
      stopSignal: 'SIGSEGV',
      env: { 'not-a-name': '1' },
    });
    expect(driver.check(spec).map(({ field }) => field)).toEqual([
      'env.not-a-name',
      'user',
      'tty',
      'mounts',
      'stopSignal',
    ]);
  });

  it('given limits by default, when checked and prepared, then they are let through with a warning each', async () => {
    await onMachine({ programs });
    const warnings: unknown[] = [];
    const driver = machine.createDriver();
    await driver.open({
      ...machine.context,
      logger: { ...silentLogger, warn: (fields) => warnings.push(fields['field']) },
    });
    const task = machine.task({
      image: 'web',
      readOnly: true,
      hostname: 'web',
      resources: { limits: { cpus: 1, memoryBytes: 2 ** 26, pids: 10 } },
    });
    expect(driver.check(task.spec)).toEqual([]);
    await driver.runtime(task).prepare({ signal });
    expect(warnings).toEqual([
      'resources.limits.cpus',
      'resources.limits.memoryBytes',
      'resources.limits.pids',
      'readOnly',
      'hostname',
    ]);
  });
});

describe('ports', () => {
  const port = { target: 80, protocol: 'tcp', mode: 'host', published: 0 } as const;

  it('given a program that listens on PORT, when started, then it is reached there', async () => {
    const listen =
      'require("http").createServer((_, r) => r.end("hello")).listen(process.env.PORT, () => console.log("up"))';
    const driver = await onMachine({
      programs: { web: { command: process.execPath, args: ['-e', listen] } },
    });
    const task = machine.task(
      { image: 'web' },
      { ports: [{ target: 80, protocol: 'tcp', mode: 'ingress', published: 30_080 }] },
    );
    const { runtime, status } = await start(driver, task);
    for await (const _ of runtime.logs({ follow: true })) break;
    const answer = await fetch(`http://127.0.0.1:${status.ports[0]?.port}/`);
    expect(await answer.text()).toBe('hello');
  });

  it('given a published port that somebody uses, when started, then it is refused by its number', async () => {
    const driver = await onMachine();
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const published = typeof address === 'object' && address ? address.port : 0;
    const task = machine.task({ image: 'runs' }, { ports: [{ ...port, published }] });
    await expect(start(driver, task)).rejects.toThrow(`port ${published}/tcp is in use on this node`);
    server.close();
    await once(server, 'close');
    await driver.runtime(task).start({ signal });
  });

  it('given a published port that another task holds, when prepared, then it is refused until that one is removed', async () => {
    const driver = await onMachine();
    const published = await machine.freePort();
    const [first, second] = [1, 2].map(() =>
      machine.task({ image: 'runs' }, { ports: [{ ...port, published }] }),
    );
    if (!first || !second) throw new Error('two tasks');
    await driver.runtime(first).prepare({ signal });
    await expect(driver.runtime(second).prepare({ signal })).rejects.toThrow(`port ${published} is held`);
    await driver.runtime(first).remove({ signal });
    await driver.runtime(second).prepare({ signal });
  });

  it('given a range of two ports, when three tasks want one each, then the third is told that none is left', async () => {
    const first = 19_000 + (process.pid % 900);
    const driver = await onMachine({ portRange: [first, first + 1] });
    const tasks = [1, 2, 3].map(() =>
      machine.task(
        { image: 'runs' },
        { ports: [{ target: 80, protocol: 'tcp', mode: 'ingress', published: 30_080 }] },
      ),
    );
    const outcomes = await Promise.allSettled(tasks.map((task) => driver.runtime(task).prepare({ signal })));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
    expect(outcomes.find(({ status }) => status === 'rejected')).toMatchObject({
      reason: { message: `no free port left from ${first} to ${first + 1}`, temporary: true },
    });
    await Promise.all(tasks.map((task) => driver.runtime(task).remove({ signal })));
  });
});

describe('secrets and configs', () => {
  const file = {
    kind: 'secret',
    name: 'key',
    target: 'key.pem',
    mode: 0o444,
    data: new TextEncoder().encode('s3cret'),
  } as const;

  it('given files, when the task runs, then it reads them in memory, and they are gone with it', async () => {
    const driver = await onMachine({
      programs: {
        reads: shell('cat "$SKEP_FILES_DIR/key.pem"; echo; echo "$SKEP_FILES_DIR"; read -r end < "$PIPE"'),
      },
    });
    const { env } = machine.spec({ kind: 'exits-when-told', code: 0 });
    const task = machine.task({ image: 'reads', env }, { files: [file] });
    const { runtime } = await start(driver, task);
    let text = '';
    for await (const { data } of runtime.logs({ follow: true })) {
      text += new TextDecoder().decode(data);
      if (text.endsWith(`${task.id}\n`)) break;
    }
    const [content, dir = ''] = text.split('\n');
    expect(content).toBe('s3cret');
    expect(dir.startsWith('/dev/shm/')).toBe(true);
    expect(statSync(dir).mode & 0o777).toBe(0o700);
    expect(statSync(join(dir, 'key.pem')).mode & 0o777).toBe(0o444);
    await machine.tell(task);
    await runtime.wait({ signal });
    expect(existsSync(dir)).toBe(false);
  });

  it('given no directory in memory, or a target that is a path, when prepared, then the reason is told', async () => {
    const driver = await onMachine({ memoryDir: process.cwd() });
    const disk = machine.task({ image: 'runs' }, { files: [file] });
    await expect(driver.runtime(disk).prepare({ signal })).rejects.toThrow('is not a directory in memory');
    const path = machine.task({ image: 'runs' }, { files: [{ ...file, target: '/etc/key.pem' }] });
    await expect(driver.runtime(path).prepare({ signal })).rejects.toThrow('must be a file name');
  });
});

describe('what a task holds on the machine', () => {
  const secret = {
    kind: 'secret',
    name: 'key',
    target: 'key',
    mode: 0o400,
    data: new Uint8Array(8),
  } as const;
  const given = {
    files: [secret],
    ports: [{ target: 80, protocol: 'tcp', mode: 'ingress', published: 30_080 }],
  } as const;

  it('given a secret and a port, when the task is stopped and not removed, then neither is left', async () => {
    const driver = await onMachine();
    const { runtime } = await start(driver, machine.task({ image: 'runs' }, given));
    expect(machine.held()).toHaveLength(2);
    await runtime.stop({ graceMs: 60_000, signal });
    expect(machine.held()).toEqual([]);
    await driver.close();
    expect(machine.held()).toEqual([]);
  });

  it('given a secret and a port, when the task ends by itself or is stopped before it ran, then neither is left', async () => {
    const driver = await onMachine();
    const { runtime } = await start(driver, machine.task({ image: 'exits', env: { CODE: '3' } }, given));
    await runtime.wait({ signal });
    expect(machine.held()).toEqual([]);
    const unstarted = driver.runtime(machine.task({ image: 'runs' }, given));
    await unstarted.prepare({ signal });
    await unstarted.stop({ graceMs: 0, signal });
    expect(machine.held()).toEqual([]);
  });

  it('given no driver is open, when a task with a secret ends, then the secret goes with it all the same', async () => {
    const driver = await onMachine();
    const task = machine.task(
      { ...machine.spec({ kind: 'exits-when-told', code: 0 }), image: 'exits-when-told' },
      { files: [secret] },
    );
    await start(driver, task);
    await driver.close();
    expect(machine.held()).toHaveLength(1);
    await machine.tell(task);
    expect(machine.held()).toEqual([]);
  });

  it('given tasks that were killed while no driver was open, when the next one opens, then what they held is free', async () => {
    const driver = await onMachine();
    const [killed, lost, other] = [1, 2, 3].map(() => machine.task({ image: 'runs' }, given));
    if (!killed || !lost || !other) throw new Error('three tasks');
    for (const task of [killed, lost, other]) await start(driver, task);
    await driver.close();
    await machine.kill(killed);
    await machine.kill(lost);
    rmSync(join(machine.dir, 'process-driver', 'tasks', lost.id), { recursive: true });
    const next = await machine.openDriver();
    // A reservation this young may belong to a task that is just being prepared, so one is left.
    expect(machine.held().filter((name) => name.startsWith('files'))).toEqual([
      expect.stringContaining(other.id),
    ]);
    expect(machine.held().filter((name) => name.startsWith('port'))).toHaveLength(2);
    const reservations = readdirSync(bookDir).map((name) => join(bookDir, name));
    for (const file of reservations) {
      if (readFileSync(file, 'utf8').endsWith(lost.id)) utimesSync(file, 1, 1);
    }
    await machine.openDriver();
    expect(machine.held().filter((name) => name.startsWith('port'))).toHaveLength(1);
    await next.runtime(other).stop({ graceMs: 0, signal });
    expect(machine.held()).toEqual([]);
  });
});

describe('output', () => {
  it('given a task that prints far more than is kept, when read, then the newest lines are there, within bounds', async () => {
    const count = 'i=0; while [ $i -lt 20000 ]; do echo "line $i"; i=$((i+1)); done';
    const logBytesMax = 64 * 1024;
    const driver = await onMachine({ programs: { prints: shell(count) }, logBytesMax });
    const task = machine.task({ image: 'prints' });
    const { runtime } = await start(driver, task);
    await runtime.wait({ signal });
    const text = await outputOf(driver, task);
    expect(text.endsWith('line 19998\nline 19999\n')).toBe(true);
    expect(text.length).toBeGreaterThanOrEqual(logBytesMax / 2);
    const output = join(machine.dir, 'process-driver', 'tasks', task.id, 'output');
    const bytes = readdirSync(output).reduce((sum, name) => sum + statSync(join(output, name)).size, 0);
    expect(bytes).toBeLessThanOrEqual(logBytesMax + 4096);
  });

  it('given a task that prints without a pause, when it has printed a lot, then its log stays small, and it ends', async () => {
    const logBytesMax = 64 * 1024;
    const driver = await onMachine({ programs: { yes: { command: 'yes' } }, logBytesMax });
    const { runtime } = await start(driver, machine.task({ image: 'yes' }));
    let seen = 0;
    let trims = 0;
    const output = join(machine.dir, 'process-driver', 'tasks');
    const olderFiles = new Set<string>();
    await until(() => {
      for (const name of readdirSync(output, { recursive: true, encoding: 'utf8' })) {
        const offset = /stdout\.(\d+)\.log$/.exec(name)?.[1];
        if (offset === undefined || olderFiles.has(offset)) continue;
        olderFiles.add(offset);
        trims += 1;
        seen = Number(offset);
      }
      return trims >= 5 && seen > 10 * logBytesMax;
    });
    for await (const _ of runtime.logs({ follow: true, tail: 0 })) break;
    await runtime.stop({ graceMs: 60_000, signal });
    const bytes = readdirSync(output, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.log'))
      .reduce((sum, name) => sum + statSync(join(output, name)).size, 0);
    expect(bytes).toBeLessThanOrEqual(logBytesMax);
  });

  it('given a follower, when the driver closes, then the following fails, and says why', async () => {
    const driver = await onMachine();
    const task = machine.task({ image: 'runs' });
    await start(driver, task);
    const following = outputOf(driver, task);
    const failure = expect(following).rejects.toThrow('the process driver is closed');
    await driver.close();
    await failure;
  });
});

describe('exec and stats', () => {
  it('given a command beside a task, when run, then it has the task’s environment and directory, and its tail is told', async () => {
    const driver = await onMachine();
    const dir = join(machine.dir, 'work');
    mkdirSync(dir);
    const { runtime } = await start(driver, machine.task({ image: 'runs', dir, env: { COLOUR: 'green' } }));
    const told = await runtime.exec?.(['/bin/sh', '-c', 'echo "$COLOUR $PWD"; exit 4'], { signal });
    expect(told).toEqual({ exitCode: 4, output: `green ${dir}\n` });
    const much = await runtime.exec?.(
      ['/bin/sh', '-c', 'i=0; while [ $i -lt 2000 ]; do echo $i; i=$((i+1)); done'],
      { signal },
    );
    expect(much?.output.length).toBe(4096);
    expect(much?.output.endsWith('1998\n1999\n')).toBe(true);
    await expect(runtime.exec?.(['no-such-program'], { signal })).rejects.toThrow(
      "command 'no-such-program' not found",
    );
  });

  it('given a command that hangs, when its signal aborts, then it and its children are killed, the task is not', async () => {
    const driver = await onMachine();
    const task = machine.task({ image: 'runs' });
    const { runtime } = await start(driver, task);
    const before = machine.processesOf(task).length;
    const giveUp = new AbortController();
    const hanging = runtime.exec?.(['/bin/sh', '-c', 'sleep 100000 & sleep 100000'], {
      signal: giveUp.signal,
    });
    await until(() => machine.processesOf(task).length >= before + 3);
    giveUp.abort(new Error('too slow'));
    await expect(hanging).rejects.toThrow('too slow');
    await until(() => machine.processesOf(task).length === before);
  });

  it('given a busy task, when measured, then it uses processor and memory', async () => {
    const driver = await onMachine({ programs: { busy: shell('while :; do :; done') } });
    const { runtime } = await start(driver, machine.task({ image: 'busy' }));
    const stats = await runtime.stats?.({ signal });
    expect(stats?.cpus).toBeGreaterThan(0);
    expect(stats?.memoryBytes).toBeGreaterThan(100_000);
  });
});

describe('the node', () => {
  it('given one of five nodes on a machine, when described, then it offers a fifth, and what the owner says', async () => {
    const whole = await (await onMachine()).describe();
    const fifth = machine.createDriver();
    expect(whole.engine.version).toBe(VERSION);
    await fifth.close();
    const driver = new ProcessDriver({
      dir: machine.dir,
      resources: { divideBy: 5, memoryBytes: 1e9, generic: { gpu: ['a'] } },
      labels: { disk: 'ssd' },
    });
    await driver.open(machine.context);
    const described = await driver.describe();
    await driver.close();
    expect(described.resources).toEqual({
      cpus: whole.resources.cpus / 5,
      memoryBytes: 1e9,
      generic: { gpu: ['a'] },
    });
    expect(described.engine.labels).toEqual({ disk: 'ssd' });
  });

  it('given the package, when its version is told, then it is that of package.json', async () => {
    await onMachine();
    const text = readFileSync(join(import.meta.dirname, '../package.json'), 'utf8');
    expect(JSON.parse(text)).toMatchObject({ version: VERSION });
  });

  it('given a task of another node in a shared directory, when prepared here too, then it is refused', async () => {
    const driver = await onMachine();
    const task = machine.task({ image: 'runs' });
    await driver.runtime(task).prepare({ signal });
    const other = machine.createDriver();
    await other.open({
      ...machine.context,
      nodeId: newId(seededRandom(1)),
    });
    await expect(other.runtime(task).prepare({ signal })).rejects.toThrow(
      'belongs to another cluster or node',
    );
    await expect(other.runtime(task).start({ signal })).rejects.toThrow('is not prepared on this node');
  });

  it('given a cluster that keeps nothing, when its driver closes and no task runs, then no directory is left', async () => {
    await onMachine();
    const driver = machine.createDriver();
    const { stateDir: _, ...context } = machine.context;
    const before = new Set(readdirSync('/tmp').filter((name) => name.startsWith('skep-process-')));
    await driver.open(context);
    const task = machine.task({ image: 'exits', env: { CODE: '0' } });
    const { runtime } = await start(driver, task);
    await runtime.wait({ signal });
    await driver.close();
    const after = readdirSync('/tmp').filter((name) => name.startsWith('skep-process-') && !before.has(name));
    expect(after).toEqual([]);
  });

  it('given a driver that is not open, when asked, then it says so', async () => {
    await onMachine();
    const driver = new ProcessDriver();
    expect(() => driver.runtime(machine.task({ image: 'runs' }))).toThrow('is not open');
    await driver.close();
  });

  it('given a state directory that can not be written, when opened or prepared, then a driver error says why', async () => {
    const driver = await onMachine();
    const file = join(machine.dir, 'file');
    writeFileSync(file, '');
    const misplaced = new ProcessDriver({ dir: file });
    await expect(misplaced.open(machine.context)).rejects.toMatchObject({ code: 'DRIVER' });
    const tasks = join(machine.dir, 'process-driver', 'tasks');
    rmSync(tasks, { recursive: true });
    writeFileSync(tasks, '');
    const prepared = driver.runtime(machine.task({ image: 'runs' })).prepare({ signal });
    await expect(prepared).rejects.toMatchObject({
      code: 'DRIVER',
      message: expect.stringContaining('ENOTDIR'),
    });
    rmSync(tasks);
  });
});
