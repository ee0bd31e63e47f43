import { describe, expect, test } from 'vitest';
import { cronIssue, dueBetween, isTimeZone, nextDue } from './cron-line.ts';

const at = (text: string) => Date.parse(text);

/** The first due times after a moment. */
function dues(cron: string, timeZone: string, after: string, count: number): string[] {
  const schedule = { cron, timeZone };
  const found: string[] = [];
  let last = at(after);
  while (found.length < count) {
    last = nextDue(schedule, last) ?? Number.NaN;
    found.push(new Date(last).toISOString().replace('.000Z', 'Z'));
  }
  return found;
}

describe('given a cron line', () => {
  test.each([
    '* * * * *',
    '*/5 * * * * *',
    '0 0 29 2 *',
    '0 0 29 2 +1',
    '@daily',
    '0 9 * * MON-FRI',
    '0 0 L * *',
  ])('when it is %j, then it is one', (line) => {
    expect(cronIssue(line)).toBeUndefined();
  });

  test.each([
    ['', 'must have five fields'],
    ['* * * *', 'must have five fields'],
    ['0 0 0 1 1 * 2020', 'must have five fields'],
    ['61 * * * *', 'Invalid value for minute'],
    ['0 0 * * MON#6', 'out of range'],
    ['@reboot', 'not supported'],
    ['each day at noon please', 'is no cron line'],
    ['0 0 30 2 *', 'never fires'],
    ['0 0 31 4,6,9,11 *', 'never fires'],
  ])('when it is %j, then it is refused: %s', (line, why) => {
    expect(cronIssue(line)).toContain(why);
  });

  test('when it is due at a moment, then the next time after that moment is another', () => {
    const schedule = { cron: '0 * * * *', timeZone: 'UTC' };
    const due = nextDue(schedule, at('2026-01-01T00:59:59.999Z'));
    expect(due).toBe(at('2026-01-01T01:00:00Z'));
    expect(nextDue(schedule, due ?? 0)).toBe(at('2026-01-01T02:00:00Z'));
    expect(nextDue(schedule, at('2026-01-01T01:00:00.001Z'))).toBe(at('2026-01-01T02:00:00Z'));
  });
});

describe('given a time zone with summer time', () => {
  const BEFORE_SPRING = '2026-03-28T12:00:00Z';
  const BEFORE_AUTUMN = '2026-10-24T12:00:00Z';

  test('when a line names an hour that is left out, then it fires right after it, that day too', () => {
    expect(dues('30 2 * * *', 'Europe/Berlin', BEFORE_SPRING, 2)).toEqual([
      '2026-03-29T01:00:00Z',
      '2026-03-30T00:30:00Z',
    ]);
  });

  test('when it names several hours and one is left out, then each fires once', () => {
    expect(dues('30 2,14 * * *', 'Europe/Berlin', '2026-03-28T20:00:00Z', 3)).toEqual([
      '2026-03-29T01:00:00Z',
      '2026-03-29T12:30:00Z',
      '2026-03-30T00:30:00Z',
    ]);
  });

  test('when it names an hour that comes twice, then it fires once', () => {
    expect(dues('30 2 * * *', 'Europe/Berlin', BEFORE_AUTUMN, 2)).toEqual([
      '2026-10-25T00:30:00Z',
      '2026-10-26T01:30:00Z',
    ]);
  });

  test('when it fires all through the day, then it does so evenly, in spring and in autumn', () => {
    for (const from of ['2026-03-29T00:00:00Z', '2026-10-25T00:00:00Z']) {
      const halves = dues('*/30 * * * *', 'Europe/Berlin', from, 8).map(
        (text) => (at(text) - at(from)) / 60_000,
      );
      expect(halves).toEqual([30, 60, 90, 120, 150, 180, 210, 240]);
    }
  });

  test('when it is of the other half of the world, or moves by half an hour, then its own clock counts', () => {
    expect(dues('30 2 * * *', 'America/New_York', '2026-03-07T12:00:00Z', 2)).toEqual([
      '2026-03-08T07:00:00Z',
      '2026-03-09T06:30:00Z',
    ]);
    expect(dues('0 12 * * *', 'Asia/Kathmandu', '2026-01-01T00:00:00Z', 1)).toEqual(['2026-01-01T06:15:00Z']);
    expect(dues('15 2 * * *', 'Australia/Lord_Howe', '2026-10-03T12:00:00Z', 1)).toEqual([
      '2026-10-03T15:30:00Z',
    ]);
  });

  test('when a name is none, then it is no time zone', () => {
    expect(['Europe/Berlin', 'UTC', 'America/New_York'].every(isTimeZone)).toBe(true);
    expect(['', 'Mars/Olympus', 'Europe/Berlin; rm'].some(isTimeZone)).toBe(false);
  });
});

describe('given a stretch of time', () => {
  const hourly = { cron: '0 * * * *', timeZone: 'UTC' };
  const secondly = { cron: '* * * * * *', timeZone: 'UTC' };
  const from = at('2026-01-01T00:00:00Z');

  test('when nothing is due in it, then nothing is found', () => {
    expect(dueBetween(hourly, from, from + 3_599_999)).toBeUndefined();
  });

  test('when several times are due, then the newest is found, and how many there are', () => {
    expect(dueBetween(hourly, from, from + 3 * 3_600_000)).toEqual({
      newest: from + 3 * 3_600_000,
      count: 3,
    });
  });

  test('when it is long, then the newest is found all the same, without counting to the end', () => {
    const to = at('2026-12-31T23:59:58.500Z');
    expect(dueBetween(secondly, from, to)).toEqual({ newest: at('2026-12-31T23:59:58Z'), count: 100 });
    expect(dueBetween(hourly, from, to)).toEqual({ newest: at('2026-12-31T23:00:00Z'), count: 100 });
  });
});
