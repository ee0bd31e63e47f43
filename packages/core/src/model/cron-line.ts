/**
 * Cron lines: when a schedule is due. It stands between the door, which refuses a line that makes no sense or never
 * fires, and the loop that begins runs. The only file that knows the cron library.
 *
 * Lines are Vixie cron's, with an optional field for seconds before them and its nicknames (`@daily`); `L`, `W` and
 * `#` as in Quartz. In a time zone's summer time, by Vixie cron's rule: a line without a wildcard in seconds, minutes
 * and hours that falls into the hour that is left out fires right after it, and one in the hour that comes twice fires
 * once; any other fires at every time that its clock shows, so in the hour that comes twice, twice.
 */

import { Cron } from 'croner';

/** When runs are due. */
export interface CronSchedule {
  readonly cron: string;
  /** IANA name: `Europe/Berlin`. */
  readonly timeZone: string;
}

/** A line that ever fires does so after this, whatever the year is: its fields name none. */
const PROBED_FROM = Date.UTC(2000, 0, 1);

/** Due times that are told apart when many were missed. */
const COUNTED_MAX = 100;

const parsed = new WeakMap<CronSchedule, Cron>();

/** Schedules are parts of specs, which never change, so each is parsed once. */
function cronOf(schedule: CronSchedule): Cron {
  let cron = parsed.get(schedule);
  if (!cron) {
    cron = parse(schedule.cron, schedule.timeZone);
    parsed.set(schedule, cron);
  }
  return cron;
}

function parse(line: string, timezone: string): Cron {
  return new Cron(line, { timezone, paused: true, mode: '5-or-6-parts', fixedTimeRule: 'no-wildcard' });
}

/** Why a line can't be a schedule, in words; undefined if it can. */
export function cronIssue(line: string): string | undefined {
  const fields = line.trim().split(/\s+/).length;
  if (!line.startsWith('@') && fields !== 5 && fields !== 6) {
    return `'${line}' is no cron line: it must have five fields, or six with the seconds first`;
  }
  let cron: Cron;
  try {
    cron = parse(line, 'UTC');
  } catch (error) {
    return `'${line}' is no cron line: ${(error as Error).message.replace(/^CronPattern: /, '')}`;
  }
  return cron.nextRun(new Date(PROBED_FROM)) === null ? `'${line}' never fires` : undefined;
}

/** Whether this is the name of a time zone that this host knows. */
export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** The first time at which the schedule is due after this one; milliseconds since 1970. Undefined: never again. */
export function nextDue(schedule: CronSchedule, after: number): number | undefined {
  // Due times are whole seconds.
  const second = Math.floor(after / 1_000) * 1_000;
  return cronOf(schedule).nextRun(new Date(second))?.getTime();
}

/** The due times of a stretch of time. */
export interface DueTimes {
  /** The last of them. */
  readonly newest: number;
  /** How many there are; as many as are counted, if there are more. */
  readonly count: number;
}

/** The times at which the schedule is due after the one and up to the other; undefined if there is none. */
export function dueBetween(schedule: CronSchedule, after: number, upTo: number): DueTimes | undefined {
  let newest: number | undefined;
  let count = 0;
  for (let due = nextDue(schedule, after); due !== undefined && due <= upTo; due = nextDue(schedule, due)) {
    newest = due;
    if (++count === COUNTED_MAX) break;
  }
  if (newest === undefined) return undefined;
  // A line that fires each second over a year is not walked through: its last due time is looked for from the end.
  return { newest: count === COUNTED_MAX ? lastDue(schedule, newest, upTo) : newest, count };
}

/** The last due time up to `upTo`, given one before it. */
function lastDue(schedule: CronSchedule, known: number, upTo: number): number {
  // The next due time after `from` is not after the end, that after `to` is.
  let from = known - 1;
  let to = upTo;
  while (to - from > 1) {
    const middle = Math.floor((from + to) / 2);
    const due = nextDue(schedule, middle);
    if (due !== undefined && due <= upTo) from = middle;
    else to = middle;
  }
  return nextDue(schedule, from) ?? known;
}
