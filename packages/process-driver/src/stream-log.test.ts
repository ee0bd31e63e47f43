import { appendFileSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StreamLog } from './stream-log.ts';
import { lastLines } from './task-logs.ts';

const text = (log: StreamLog, from: number, complete = true) =>
  [...log.chunks(from, complete)].map(({ data }) => new TextDecoder().decode(data)).join('');

describe('StreamLog', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'skep-log-'));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  const print = (line: string, atSeconds?: number) => {
    appendFileSync(join(dir, 'stdout.log'), line);
    if (atSeconds !== undefined) utimesSync(join(dir, 'stdout.log'), atSeconds, atSeconds);
  };

  it('given nothing printed, when read, then it is empty', () => {
    const log = new StreamLog(dir, 'stdout', 1000);
    log.look();
    expect([text(log, 0), log.end, log.startOfTail(3), log.startOf(5)]).toEqual(['', 0, 0, 0]);
  });

  it('given lines at three times, when read since one of them, then output from then on comes, with its times', () => {
    const log = new StreamLog(dir, 'stdout', 1000);
    for (const at of [10, 20, 30]) {
      print(`at ${at}\n`, at);
      log.look();
    }
    const again = new StreamLog(dir, 'stdout', 1000);
    again.look();
    for (const each of [log, again]) {
      expect([...each.chunks(0, true)].map(({ at }) => at)).toEqual([10_000, 20_000, 30_000]);
      expect(text(each, each.startOf(20_000))).toBe('at 20\nat 30\n');
      expect(text(each, each.startOf(30_001))).toBe('');
    }
  });

  it('given half a line, when read, then it is held back until its end came or nothing more can', () => {
    const log = new StreamLog(dir, 'stdout', 1000);
    print('whole\nha');
    log.look();
    expect(text(log, 0, false)).toBe('whole\n');
    expect(text(log, 0, true)).toBe('whole\nha');
    print('lf\n');
    log.look();
    expect(text(log, 6, false)).toBe('half\n');
  });

  it('given more than is kept, when looked at, then the newest remains, offsets stay, and a successor agrees', () => {
    const log = new StreamLog(dir, 'stdout', 100);
    const lines = Array.from({ length: 100 }, (_, index) => `line ${index}\n`);
    for (const line of lines) {
      print(line);
      log.look();
    }
    const all = lines.join('');
    expect(log.end).toBe(all.length);
    expect(all.endsWith(text(log, 0))).toBe(true);
    expect(text(log, all.length - 8)).toBe('line 99\n');
    expect(text(log, log.startOfTail(3))).toBe('line 97\nline 98\nline 99\n');
    const bytes = readdirSync(dir)
      .filter((name) => name.endsWith('.log'))
      .reduce((sum, name) => sum + statSync(join(dir, name)).size, 0);
    expect(bytes).toBeLessThanOrEqual(110);
    const successor = new StreamLog(dir, 'stdout', 100);
    successor.look();
    expect(text(successor, 0)).toBe(text(log, 0));
    expect(successor.end).toBe(log.end);
  });

  it('given any printing, looking and trimming, when followed and read, then nothing is doubled, and the end is there', () => {
    const step = fc.record({ line: fc.string({ maxLength: 30 }), look: fc.boolean(), reopen: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 40, max: 400 }), (steps, bytesMax) => {
        rmSync(dir, { recursive: true });
        dir = mkdtempSync(join(tmpdir(), 'skep-log-'));
        let log = new StreamLog(dir, 'stdout', bytesMax);
        let printed = '';
        let followed = '';
        let position = 0;
        const follow = (complete: boolean) => {
          log.look();
          for (const chunk of log.chunks(position, complete)) {
            followed += new TextDecoder().decode(chunk.data);
            position = chunk.next;
          }
        };
        for (const { line, look, reopen } of steps) {
          const safe = `${line.replace(/[^\x20-\x7e]/g, '.')}\n`;
          print(safe);
          printed += safe;
          if (reopen) log = new StreamLog(dir, 'stdout', bytesMax);
          if (look) follow(false);
        }
        log.look();
        const kept = text(log, 0);
        expect(printed.endsWith(kept)).toBe(true);
        expect(kept.length).toBeGreaterThanOrEqual(Math.min(printed.length, Math.floor(bytesMax / 2)));
        follow(true);
        expect(position).toBe(printed.length);
        // What was trimmed before the follower came is missing in its middle, never its end, never twice.
        expect(followed.length).toBeLessThanOrEqual(printed.length);
        expect(printed.endsWith(followed.slice(-Math.min(followed.length, kept.length)))).toBe(true);
        const tail = lastLines(log.chunks(log.startOfTail(3), true), 3);
        const expected = kept.split('\n').slice(-4, -1);
        expect(tail.map(({ data }) => new TextDecoder().decode(data).trimEnd())).toEqual(
          expected.map((line) => line.trimEnd()),
        );
      }),
      { numRuns: 60 },
    );
  });
});
