/**
 * What the operating system tells of processes. It reads and never signals: whether a number still means the process
 * that we started is decided here, by start time, so that a stranger who got the same number is never touched.
 */

import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { promisify } from 'node:util';

/** A process, told apart from all others that had or will have its number. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Ticks since boot on Linux, a date elsewhere. */
  readonly start: string;
  /** Which boot of the machine, where it tells. */
  readonly boot: string;
}

/** One row of the table. */
export interface ProcessRow {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly start: string;
  /** It has ended and only waits to be noticed by its parent. */
  readonly zombie: boolean;
  /** Processor time so far, in seconds. */
  readonly cpuSeconds: number;
}

/** Clock ticks per second in /proc: 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** True where /proc is Linux's. */
export const hasProc = existsSync('/proc/self/stat');

const run = promisify(execFile);

function tryRead(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** Fields of /proc/PID/stat, see proc(5). The name may hold spaces and brackets, so it is cut off first. */
function readRow(pid: number): ProcessRow | undefined {
  const text = tryRead(`/proc/${pid}/stat`);
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, parent, group] = fields;
  const start = fields[19];
  if (state === undefined || parent === undefined || group === undefined || start === undefined)
    return undefined;
  return {
    pid,
    parent: Number(parent),
    group: Number(group),
    start,
    zombie: state === 'Z' || state === 'X',
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
  };
}

async function ps(args: readonly string[]): Promise<readonly string[]> {
  try {
    const { stdout } = await run('ps', args, { env: { PATH: '/bin:/usr/bin', LC_ALL: 'C', TZ: 'UTC' } });
    return stdout.split('\n').filter((line) => line.trim() !== '');
  } catch {
    // ps fails when no process matches.
    return [];
  }
}

function parsePsRow(line: string): ProcessRow {
  const [pid, parent, group, state, ...start] = line.trim().split(/\s+/);
  return {
    pid: Number(pid),
    parent: Number(parent),
    group: Number(group),
    start: start.join(' '),
    zombie: state?.startsWith('Z') ?? false,
    cpuSeconds: 0,
  };
}

const PS_COLUMNS = 'pid=,ppid=,pgid=,stat=,lstart=';

/** All processes that we may see. */
export async function listProcesses(): Promise<readonly ProcessRow[]> {
  if (!hasProc) return (await ps(['-A', '-o', PS_COLUMNS])).map(parsePsRow);
  const rows: ProcessRow[] = [];
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    const row = Number.isInteger(pid) ? readRow(pid) : undefined;
    if (row) rows.push(row);
  }
  return rows;
}

const currentBoot = tryRead('/proc/sys/kernel/random/boot_id').trim();

/** Whether that very process is alive: same number, same start, same boot, and not a zombie. */
export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  if (identity.boot !== currentBoot) return false;
  if (hasProc) {
    const row = readRow(identity.pid);
    return row !== undefined && !row.zombie && row.start === identity.start;
  }
  const [line] = await ps(['-o', PS_COLUMNS, '-p', String(identity.pid)]);
  const row = line === undefined ? undefined : parsePsRow(line);
  return row !== undefined && !row.zombie && row.start === identity.start;
}

/** Whether a process group has any process left, zombies included. Cheap. */
export function groupExists(group: number): boolean {
  try {
    process.kill(-group, 0);
    return true;
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
  }
}

/** The living processes of a group. */
export async function groupMembers(group: number): Promise<readonly ProcessRow[]> {
  if (!groupExists(group)) return [];
  return (await listProcesses()).filter((row) => row.group === group && !row.zombie);
}

/** Whether a process was given this variable at its start. Only for processes of our own user. */
export async function hasVariable(pid: number, name: string, value: string): Promise<boolean> {
  if (hasProc) return `\0${tryRead(`/proc/${pid}/environ`)}`.includes(`\0${name}=${value}\0`);
  const [line] = await ps(['eww', '-o', 'command=', '-p', String(pid)]);
  return line?.split(/\s/).includes(`${name}=${value}`) ?? false;
}

/** The command lines of a process and of its children, words separated by NUL or blank. */
export async function commandLines(
  pid: number,
): Promise<{ readonly own: string; readonly children: readonly string[] }> {
  if (!hasProc) {
    const rows = await ps(['-A', '-o', 'pid=,ppid=,command=']);
    const parsed = rows.map((row) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(row));
    return {
      own: parsed.find((row) => Number(row?.[1]) === pid)?.[3] ?? '',
      children: parsed.filter((row) => Number(row?.[2]) === pid).map((row) => row?.[3] ?? ''),
    };
  }
  const children = tryRead(`/proc/${pid}/task/${pid}/children`)
    .split(' ')
    .filter((text) => text !== '');
  const pids =
    children.length > 0
      ? children
      : (await listProcesses()).filter((row) => row.parent === pid).map((row) => String(row.pid));
  return {
    own: tryRead(`/proc/${pid}/cmdline`),
    children: pids.map((child) => tryRead(`/proc/${child}/cmdline`)),
  };
}

/** Resident memory of a process in bytes. Linux only. */
export function residentBytes(pid: number): number {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(tryRead(`/proc/${pid}/status`))?.[1];
  return Number(kibibytes ?? 0) * 1024;
}
