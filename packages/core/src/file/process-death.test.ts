import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it } from 'vitest';
import { nextLeader } from '../log/conformance/harness.ts';
import { RecordingMachine } from '../log/conformance.ts';
import { FileEventLog } from './file-event-log.ts';
import { lockDirectory } from './socket-lock.ts';

const HERE = import.meta.url;

/** Runs a module's text in a process of its own, with the sources of this package to import. */
function run(source: string, ...args: readonly string[]): ChildProcessWithoutNullStreams {
  const flags = [
    '--conditions=@skep/source',
    '--import=tsx',
    '--input-type=module',
    '--eval',
    source,
    '--',
    ...args,
  ];
  return spawn(process.execPath, flags, { cwd: new URL('.', HERE) });
}

/** The next line that a process writes. Fails with what it complained of if it ends before. */
async function* linesOf(child: ChildProcessWithoutNullStreams): AsyncGenerator<string, void, undefined> {
  let complaints = '';
  child.stderr.on('data', (data) => {
    complaints += String(data);
  });
  yield* createInterface({ input: child.stdout });
  if (child.exitCode !== 0 && child.signalCode === null) throw new Error(`the process failed: ${complaints}`);
}

async function inDirectory(test: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'skep-death-'));
  try {
    await test(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Kills a process and waits until it is gone. */
async function kill(child: ChildProcessWithoutNullStreams): Promise<void> {
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

const HOLD_LOCK = `
  const { lockDirectory } = await import(${JSON.stringify(new URL('socket-lock.ts', HERE).href)});
  const lock = await lockDirectory(process.argv.at(-1));
  console.log(lock ? 'held' : 'refused');
  setInterval(() => {}, 1000);
`;

const APPEND_FOR_EVER = `
  const { FileEventLog } = await import(${JSON.stringify(new URL('file-event-log.ts', HERE).href)});
  const { RecordingMachine } = await import(${JSON.stringify(new URL('../log/conformance.ts', HERE).href)});
  const log = new FileEventLog({ dir: process.argv.at(-1), preallocateBytes: 65536, segmentBytes: 20000, snapshotEveryEntries: 300 });
  const machine = new RecordingMachine();
  await log.open(machine);
  const { epoch } = log.leadership();
  let sequence = 0;
  for (;;) {
    const sent = Array.from({ length: 10 }, () => {
      sequence += 1;
      return log.append({ at: 0, payload: Buffer.from(String(machine.count + (sequence - 1) % 10)), epoch, sequence });
    });
    const outcomes = await Promise.all(sent);
    console.log(outcomes.every(({ kind }) => kind === 'committed') ? machine.count : 'failed');
  }
`;

describe('a lock on a directory', { timeout: 60_000 }, () => {
  it('given a holder, then others are refused until it releases, also in another process', () =>
    inDirectory(async (directory) => {
      const path = join(directory, 'lock');
      const lock = await lockDirectory(path);
      expect(lock).toBeDefined();
      expect(await lockDirectory(path)).toBeUndefined();
      const child = run(HOLD_LOCK, path);
      const { value } = await linesOf(child).next();
      expect(value).toBe('refused');
      await kill(child);
      await lock?.release();
      await lock?.release();
      const next = await lockDirectory(path);
      expect(next).toBeDefined();
      await next?.release();
      expect(await readdir(directory)).toEqual([]);
    }));

  it('given a holder that was killed, when many take over at once, then exactly one has it', () =>
    inDirectory(async (directory) => {
      const path = join(directory, 'lock');
      const child = run(HOLD_LOCK, path);
      expect((await linesOf(child).next()).value).toBe('held');
      expect(await lockDirectory(path)).toBeUndefined();
      await kill(child);
      expect(await readdir(directory)).toEqual(['lock']);
      const locks = await Promise.all(Array.from({ length: 20 }, () => lockDirectory(path)));
      expect(locks.filter((lock) => lock !== undefined)).toHaveLength(1);
      expect(await readdir(directory)).toEqual(['lock']);
      for (const lock of locks) await lock?.release();
    }));

  it('given a path too long for a socket, then it is locked all the same', () =>
    inDirectory(async (directory) => {
      const deep = join(directory, 'a'.repeat(80), 'b'.repeat(80));
      await mkdir(deep, { recursive: true });
      const lock = await lockDirectory(join(deep, 'lock'));
      expect(lock).toBeDefined();
      expect(await lockDirectory(join(deep, 'lock'))).toBeUndefined();
      await lock?.release();
      const next = await lockDirectory(join(deep, 'lock'));
      expect(next).toBeDefined();
      await next?.release();
    }));
});

describe('the file log of a process that is killed', { timeout: 60_000 }, () => {
  it('given appends under load, then all that it had told of is there, in order, and the next process takes over', () =>
    inDirectory(async (directory) => {
      let told = 0;
      for (const batches of [3, 40, 90]) {
        const child = run(APPEND_FOR_EVER, directory);
        let seen = 0;
        for await (const line of linesOf(child)) {
          told = Number(line);
          seen += 1;
          if (seen === batches) break;
        }
        expect(seen).toBe(batches);
        await kill(child);
      }
      const log = new FileEventLog({ dir: directory });
      const machine = new RecordingMachine();
      await log.open(machine);
      expect(machine.count).toBeGreaterThanOrEqual(told);
      expect(machine.payloads).toEqual(Array.from({ length: machine.count }, (_, index) => String(index)));
      const leader = await nextLeader(log);
      await leader.commit('goes on');
      await log.close();
    }));
});
