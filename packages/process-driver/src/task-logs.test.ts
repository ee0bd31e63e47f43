import { appendFileSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SimulatedClock } from '@skep/core/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TaskId } from './core-types.ts';
import { LOG_LOOK_MS, LOG_SIZE_LOOK_MS, LogKeeper, TaskLogs } from './task-logs.ts';
import { until } from './testing/real-machine.ts';

const id = 'task' as TaskId;
const KIB = 1024;

describe('LogKeeper', () => {
  let dir: string;
  let clock: SimulatedClock;
  let keeper: LogKeeper;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'skep-logs-'));
    clock = new SimulatedClock();
  });
  afterEach(() => {
    keeper.close();
    rmSync(dir, { recursive: true });
  });

  const keep = (bytesMax: number) => {
    keeper = new LogKeeper(clock, () => new TaskLogs(dir, bytesMax));
    keeper.watch(id);
  };
  const print = (kib: number) =>
    appendFileSync(join(dir, 'stdout.log'), `${'x'.repeat(KIB - 1)}\n`.repeat(kib));
  const size = () => statSync(join(dir, 'stdout.log')).size;
  const total = () =>
    readdirSync(dir)
      .filter((name) => name.endsWith('.log'))
      .reduce((sum, name) => sum + statSync(join(dir, name)).size, 0);

  it('given a task that prints, when half is full, then it is trimmed within 20 ms, again and again', async () => {
    print(1);
    keep(10 * KIB);
    for (let round = 0; round < 5; round++) {
      print(6);
      await clock.advance(LOG_SIZE_LOOK_MS);
      expect(size()).toBe(0);
      expect(total()).toBe(5 * KIB);
    }
  });

  it('given a quiet task, when it bursts out, then the file system tells, and 20 ms later it is trimmed', async () => {
    keep(10 * KIB);
    await clock.advance(3 * LOG_LOOK_MS);
    const quiet = clock.pendingTimers;
    print(6);
    await until(() => clock.pendingTimers > quiet);
    await clock.advance(LOG_SIZE_LOOK_MS);
    expect(size()).toBe(0);
  });

  it('given a task that falls quiet, when a second has passed, then nothing looks at it often any more', async () => {
    print(1);
    keep(10 * KIB);
    const busy = clock.pendingTimers;
    await clock.advance(LOG_LOOK_MS);
    expect(clock.pendingTimers).toBe(busy - 1);
    keeper.close();
    expect(clock.pendingTimers).toBe(0);
  });

  it('given far more than is kept within one look, when trimmed, then little is copied and the newest is there', async () => {
    print(1);
    keep(8 * KIB * KIB);
    print(9 * KIB);
    await clock.advance(LOG_SIZE_LOOK_MS);
    expect(total()).toBe(KIB * KIB);
    const logs = keeper.of(id);
    expect(logs.printed).toBe((9 * KIB + 1) * KIB);
    const [newest] = [...logs.read(logs.begin({ tail: 1 }), true)];
    expect(newest?.data.length).toBe(KIB);
  });
});
