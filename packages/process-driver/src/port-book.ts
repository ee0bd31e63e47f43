/**
 * Free host ports for tasks. One book a process, shared by all drivers in it; between processes, a reservation is a
 * file in a directory of the user's, so that two tasks on a machine are never told the same port though neither
 * listens yet.
 */

import { randomInt, randomUUID } from 'node:crypto';
import { createSocket } from 'node:dgram';
import {
  existsSync,
  linkSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { DriverError } from '@skep/core/driver';
import { makePrivateDir } from '@skep/core/node';
import type { TaskPort } from './core-types.ts';

type Protocol = TaskPort['protocol'];

/** A port and whoever holds it: the directory of a task, which says by its absence that the port is free again. */
interface Reservation {
  readonly port: number;
  readonly holder: string;
}

/** A reservation this young counts though its task's directory is not there yet. */
const YOUNG_MS = 60_000;

/** Where reservations are, one file a port, named by its number. */
export const bookDir = join(tmpdir(), `skep-ports-${userInfo().uid}`);
const fileOf = (port: number | string) => join(bookDir, String(port));

function holderOf(port: number | string): string | undefined {
  try {
    return readFileSync(fileOf(port), 'utf8');
  } catch {
    return undefined;
  }
}

/** Takes the port, unless somebody whose directory exists holds it. */
function reserve({ port, holder }: Reservation): boolean {
  makePrivateDir(bookDir);
  const own = join(bookDir, `.${randomUUID()}`);
  writeFileSync(own, holder, { mode: 0o600 });
  try {
    for (let attempt = 0; attempt < 3; attempt++) {
      try {
        linkSync(own, fileOf(port));
        return true;
      } catch {
        const current = holderOf(port);
        if (current === holder) return true;
        if (current !== undefined && (existsSync(current) || isYoung(port))) return false;
        clearStale(port, current);
      }
    }
    return false;
  } finally {
    rmSync(own, { force: true });
  }
}

function isYoung(port: number | string): boolean {
  const made = statSync(fileOf(port), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return Date.now() - made < YOUNG_MS;
}

/** Moves a stale reservation away; puts it back when somebody else's fresh one was caught instead. */
function clearStale(port: number | string, stale: string | undefined): void {
  const aside = join(bookDir, `.${randomUUID()}`);
  try {
    renameSync(fileOf(port), aside);
    if (readFileSync(aside, 'utf8') !== stale) linkSync(aside, fileOf(port));
  } catch {
    // Somebody else was quicker; the caller looks again.
  }
  rmSync(aside, { force: true });
}

/** Gives a port back, if this holder has it. */
export function releasePort(reservation: Reservation): void {
  if (holderOf(reservation.port) === reservation.holder) rmSync(fileOf(reservation.port), { force: true });
}

/** Clears reservations away whose holders are gone: of tasks that a crash took along, and torn ones. */
export function sweepPorts(): void {
  if (!existsSync(bookDir)) return;
  for (const name of readdirSync(bookDir)) {
    if (isYoung(name)) continue;
    const holder = holderOf(name);
    if (name.startsWith('.')) rmSync(fileOf(name), { force: true });
    else if (holder !== undefined && !existsSync(holder)) clearStale(name, holder);
  }
}

function canListen(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.unref();
    server.once('error', (error: NodeJS.ErrnoException) => {
      // A machine without IPv6 can't have the port taken there.
      resolve(error.code === 'EAFNOSUPPORT' || error.code === 'EADDRNOTAVAIL');
    });
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

function canBind(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.once('error', () => resolve(false));
    socket.bind({ port, exclusive: true }, () => socket.close(() => resolve(true)));
  });
}

/** Whether nobody listens there just now. SCTP can't be probed and counts as free. */
export async function isPortFree(port: number, protocol: Protocol): Promise<boolean> {
  if (protocol === 'udp') return canBind(port);
  if (protocol === 'sctp') return true;
  return (await canListen(port, '127.0.0.1')) && (await canListen(port, '::'));
}

/**
 * Finds and reserves a free port.
 *
 * @throws DriverError when all of the range are taken.
 */
export async function takeFreePort(
  protocol: Protocol,
  holder: string,
  [first, last]: readonly [number, number],
): Promise<number> {
  const count = last - first + 1;
  const start = randomInt(count);
  for (let step = 0; step < count; step++) {
    const port = first + ((start + step) % count);
    // The same number may be reserved by this task for another protocol: each gets a number of its own.
    if (holderOf(port) === holder || !reserve({ port, holder })) continue;
    if (await isPortFree(port, protocol)) return port;
    releasePort({ port, holder });
  }
  throw new DriverError(`no free port left from ${first} to ${last}`, { temporary: true });
}

/**
 * Reserves the very port that a task is published on.
 *
 * @throws DriverError when another task holds it.
 */
export function takePublishedPort(port: number, holder: string): void {
  if (!reserve({ port, holder }))
    throw new DriverError(`port ${port} is held by another task on this machine`);
}
