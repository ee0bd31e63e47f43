/**
 * Output and commands of real processes, read and run from other nodes over real sockets: nothing is lost or told twice
 * when tasks are replaced, leaders go and nodes come back, and nothing stays behind when whoever reads has had enough.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { isSkepError, PreconditionError, type ServiceLogChunk } from '@skep/core';
import * as nodes from '@skep/node';
import { ProcessDriver } from '@skep/process-driver';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { countedDriver, type OutputCount } from './across-nodes/counted-driver.ts';

/** Below what the driver keeps of a task's output. */
const FLOOD_BYTES = 4 * 1024 * 1024;
const shell = (script: string) => ({ command: '/bin/sh', args: ['-c', script] });
const programs = {
  ticks: shell('n=0; while :; do n=$((n+1)); echo "$WHO $n"; sleep 0.05; done'),
  ten: shell('for n in 1 2 3 4 5 6 7 8 9 10; do echo $n; done; exec sleep 100000'),
  flood: shell(`head -c ${FLOOD_BYTES} /dev/zero | tr '\\0' x | fold -w 1023; echo end; exec sleep 100000`),
};

let dir: string;
let open: nodes.SkepNode[];
let count: OutputCount;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'skep-across-'));
  open = [];
  count = { readers: 0, bytes: 0 };
});

afterEach(async () => {
  await nodes.closeAll(open, { tasks: 'stop' });
  await rm(dir, { recursive: true, force: true });
});

const optionsOf = (name: string) => ({ dir: join(dir, name), listen: '127.0.0.1:0', hostname: name });
const driver = () => countedDriver(new ProcessDriver({ programs, anyCommand: true }), count);

/** Managers without drivers, and workers that run processes. */
async function aCluster(managerCount: number, workerCount: number) {
  const first = await nodes.init(optionsOf('manager-1'));
  open.push(first);
  const joined = async (name: string, role: 'manager' | 'worker', more: object = {}) => {
    const token = first.joinTokens()[role];
    const node = await nodes.join({ ...optionsOf(name), ...more, token, remote: first.advertise });
    open.push(node);
    return node;
  };
  const managers = [first];
  for (let n = 2; n <= managerCount; n++) managers.push(await joined(`manager-${n}`, 'manager'));
  const workers: nodes.SkepNode[] = [];
  for (let n = 1; n <= workerCount; n++) {
    workers.push(await joined(`worker-${n}`, 'worker', { driver: driver() }));
  }
  const follower = managers.find(({ cluster }) => !cluster.leading) ?? first;
  return { managers, workers, follower, cluster: follower.cluster };
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await pause(5);
}

/** Reads lines until it is told to stop, each with the task that printed it. */
class Reading {
  readonly lines: { readonly text: string; readonly task: string }[] = [];
  readonly end = new AbortController();
  readonly over: Promise<unknown>;

  constructor(read: (signal: AbortSignal) => AsyncIterable<ServiceLogChunk>) {
    this.over = this.#read(read(this.end.signal)).catch((error: unknown) => error);
  }

  /** Resolves once so many more lines like this have come. */
  async more(lines: number, like = /./): Promise<void> {
    const wanted = this.like(like).length + lines;
    await until(() => this.like(like).length >= wanted);
  }

  like(pattern: RegExp) {
    return this.lines.filter(({ text }) => pattern.test(text));
  }

  /** The numbers at the ends of the lines of each task. What its shell says at its end is none. */
  numbersByTask(): Map<string, number[]> {
    const found = new Map<string, number[]>();
    for (const { text, task } of this.like(/^\w \d+$/)) {
      found.set(task, [...(found.get(task) ?? []), Number(text.split(' ').at(-1))]);
    }
    return found;
  }

  async #read(chunks: AsyncIterable<ServiceLogChunk>): Promise<void> {
    for await (const { data, taskId } of chunks) {
      const texts = new TextDecoder().decode(data).split('\n').slice(0, -1);
      for (const text of texts) this.lines.push({ text, task: taskId });
    }
  }
}

const counting = (numbers: readonly number[]) => numbers.map((_, at) => (numbers[0] ?? 0) + at);
const running = { timeout: 25_000 };

describe('given processes on workers, whose output is read at a manager that follows', () => {
  it('when a task is replaced, and the leader goes, then no line is missing and none comes twice', async () => {
    const { managers, cluster } = await aCluster(3, 1);
    const spec = (who: string) => ({ name: 'web', task: { image: 'ticks', env: { WHO: who } } });
    await cluster.services.create(spec('a'));
    await cluster.services.waitFor('web', 'running', running);
    const reading = new Reading((signal) => cluster.services.logs('web', { follow: true, signal }));
    await reading.more(3, /^a/);
    await cluster.services.apply(spec('b'));
    await reading.more(3, /^b/);
    await managers.find((each) => each.cluster.leading)?.close();
    await reading.more(20, /^b/);
    reading.end.abort();
    await reading.over;
    const numbers = [...reading.numbersByTask().values()];
    expect(numbers).toHaveLength(2);
    for (const each of numbers) expect(each).toEqual(counting(each));
    expect(numbers.map(([first]) => first)).toEqual([1, 1]);
    await until(() => count.readers === 0);
  });

  it('when a node goes and comes back, then the others are read on, and it where it was', async () => {
    const { workers, cluster } = await aCluster(2, 2);
    await cluster.services.create({ name: 'web', replicas: 2, task: { image: 'ticks', env: { WHO: 'a' } } });
    await cluster.services.waitFor('web', 'running', running);
    const reading = new Reading((signal) => cluster.services.logs('web', { follow: true, signal }));
    const linesOf = (task: string) => reading.lines.filter((line) => line.task === task).length;
    await until(() => reading.numbersByTask().size === 2);
    const [gone, stays] = workers;
    const [task] = cluster.tasks.list({ node: gone?.nodeId ?? '' });
    await gone?.close();
    const other = [...reading.numbersByTask().keys()].find((id) => id !== task?.id) ?? expect.unreachable();
    const before = linesOf(other);
    await until(() => linesOf(other) >= before + 3);
    // Asked for all that there is, the part that can't be had is named.
    const missing = new Reading(() => cluster.services.logs('web'));
    expect(String(await missing.over)).toContain(task?.id);
    expect(missing.lines.length).toBeGreaterThan(0);
    const known = linesOf(task?.id ?? '');
    const back = await nodes.start({ dir: join(dir, 'worker-1'), driver: driver() });
    open.push(back);
    await until(() => linesOf(task?.id ?? '') >= known + 20);
    reading.end.abort();
    await reading.over;
    for (const each of reading.numbersByTask().values()) expect(each).toEqual(counting(each));
    expect(stays?.condition).toBe('running');
  });

  it('when only the last lines are wanted, or those from a time on, then these come', async () => {
    const { cluster } = await aCluster(2, 2);
    await cluster.services.create({ name: 'web', replicas: 2, task: { image: 'ten' } });
    await cluster.services.waitFor('web', 'running', running);
    const all: ServiceLogChunk[] = [];
    while (lines(all) < 20) {
      await persistently(async () => {
        all.length = 0;
        for await (const chunk of cluster.services.logs('web')) all.push(chunk);
      });
    }
    const tail: ServiceLogChunk[] = [];
    for await (const chunk of cluster.services.logs('web', { tail: 2 })) tail.push(chunk);
    expect(textOf(tail).split('\n').filter(Boolean).sort()).toEqual(['10', '10', '9', '9']);
    const newest = Math.max(...all.map(({ at }) => at));
    const since: ServiceLogChunk[] = [];
    for await (const chunk of cluster.services.logs('web', { since: newest })) since.push(chunk);
    expect(textOf(since)).toBe(textOf(all.filter(({ at }) => at >= newest)));
    for await (const chunk of cluster.services.logs('web', { since: newest + 60_000 })) {
      expect(chunk).toBe('none');
    }
  });

  it('when the reader is slow, then the node waits for it, and in the end all of it has come', async () => {
    const { cluster } = await aCluster(2, 1);
    await cluster.services.create({ name: 'web', task: { image: 'flood' } });
    await cluster.services.waitFor('web', 'running', running);
    const [task] = cluster.tasks.list({ service: 'web' });
    const tail = async () => {
      let last = '';
      for await (const { data } of cluster.services.logs('web', { tail: 1 }))
        last += new TextDecoder().decode(data);
      return last;
    };
    while (!(await persistently(tail)).endsWith('end\n')) await pause(50);
    const told = await persistently(async () => {
      await until(() => count.readers === 0);
      count.bytes = 0;
      const chunks = cluster.services.logs('web')[Symbol.asyncIterator]();
      let bytes = (await chunks.next()).value?.data.length ?? 0;
      for (let turn = 0; turn < 8; turn++) await cluster.tasks.stats(task?.id ?? '');
      expect(count.bytes).toBeLessThan(FLOOD_BYTES / 2);
      for (let next = await chunks.next(); !next.done; next = await chunks.next())
        bytes += next.value.data.length;
      return bytes;
    });
    expect(told).toBe(count.bytes);
    expect(told).toBeGreaterThan(FLOOD_BYTES);
    await until(() => count.readers === 0);
  });
});

describe('given a process on a worker, and a command beside it that is run at a manager that follows', () => {
  it('when much is put in, then all of it comes back, with the exit code; and what is given up is ended', async () => {
    const { cluster } = await aCluster(2, 1);
    await cluster.services.create({ name: 'web', task: { image: 'ten' } });
    await cluster.services.waitFor('web', 'running', running);
    const [task] = cluster.tasks.list({ service: 'web' });
    const id = task?.id ?? '';
    const piece = 'x'.repeat(64 * 1024);
    const stdin = async function* () {
      for (let n = 0; n < 16; n++) yield piece;
    };
    const command = ['/bin/sh', '-c', 'cat; echo done >&2; exit 3'];
    const { exitCode, stdout, stderr } = await persistently(async () =>
      (await cluster.tasks.exec(id, command, { stdin: stdin() })).text(),
    );
    expect([exitCode, stdout.length, stderr]).toEqual([3, 16 * piece.length, 'done\n']);
    const end = new AbortController();
    const given = { signal: end.signal };
    const session = await cluster.tasks.exec(id, ['/bin/sh', '-c', 'echo $$; exec sleep 100000'], given);
    let pid = 0;
    const reading = (async () => {
      for await (const { data } of session) {
        pid = Number(new TextDecoder().decode(data));
        // It takes no input: whoever writes is let go when the command ends.
        const writing = Promise.all(Array.from({ length: 8 }, () => session.write(piece)));
        end.abort();
        await writing;
      }
    })();
    await expect(reading).rejects.toThrow();
    await until(() => !isAlive(pid));
  });
});

/** On a busy machine managers may elect anew, and leave a node without a session for a moment. */
async function persistently<T>(run: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await run();
    } catch (error) {
      if (!isSkepError(error) || !(error.retryable || error instanceof PreconditionError)) throw error;
      await pause(100);
    }
  }
}

const textOf = (chunks: readonly ServiceLogChunk[]) =>
  chunks.map(({ data }) => new TextDecoder().decode(data)).join('');
const lines = (chunks: readonly ServiceLogChunk[]) => textOf(chunks).split('\n').length - 1;

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
