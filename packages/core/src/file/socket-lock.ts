/**
 * A lock on a directory that the kernel drops with its holder: a listening unix socket in that directory. Node has
 * no flock, and a file with a process id in it needs guessing (ids are reused, and mean nothing in another
 * container's namespace). Whether somebody listens on a socket is never a guess: connecting to it works or is
 * refused, also when the holder is busy, and also from another container that shares the directory.
 *
 * Taking over a dead socket is the delicate part, since two may try at once. Whoever does so first links a claim,
 * named after the dead socket's inode, looks again, and only then renames its own socket into place. Nobody else can
 * have replaced that inode in between without the same claim. A claim is itself a link to a socket: one whose owner
 * died is dead as well, and is claimed in the same way.
 */

import { createHash, randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import * as net from 'node:net';
import * as os from 'node:os';
import * as path from 'node:path';
import { type DiskLock, errorCode } from './disk.ts';

/** The shortest limit among systems is 104 bytes with the final zero, and names of claims are longer by some 40. */
const MAX_SOCKET_PATH_BYTES = 60;

const MAX_ATTEMPTS = 20;

/** Takes the lock named `lockPath`, or resolves to undefined when somebody who lives holds it. */
export async function lockDirectory(lockPath: string): Promise<DiskLock | undefined> {
  if (process.platform === 'win32') return lockPipe(`\\\\.\\pipe\\skep-${digest(path.resolve(lockPath))}`);
  const directory = await fs.realpath(path.dirname(lockPath));
  const name = path.basename(lockPath);
  const real = path.join(directory, name);
  try {
    if (Buffer.byteLength(real) <= MAX_SOCKET_PATH_BYTES) return await lockSocket(real);
    if (process.platform === 'linux') return await lockByDescriptor(directory, name);
  } catch (error) {
    // Some file systems (FAT, some network and FUSE mounts) can't hold a socket.
    if (!['EPERM', 'EOPNOTSUPP', 'ENOTSUP', 'EINVAL'].includes(errorCode(error) ?? '')) throw error;
  }
  return lockSocket(path.join(os.tmpdir(), `skep-${digest(real)}`));
}

/** Names a directory whose path is too long for a socket by an open descriptor of it. */
async function lockByDescriptor(directory: string, name: string): Promise<DiskLock | undefined> {
  const handle = await fs.open(directory, 'r');
  let lock: DiskLock | undefined;
  try {
    lock = await lockSocket(`/proc/self/fd/${handle.fd}/${name}`);
  } finally {
    if (lock === undefined) await handle.close();
  }
  const { release } = lock ?? {};
  if (release === undefined) return undefined;
  let released: Promise<void> | undefined;
  return {
    release: () => {
      released ??= release().finally(() => handle.close());
      return released;
    },
  };
}

async function lockSocket(lockPath: string): Promise<DiskLock | undefined> {
  const own = `${lockPath}.${randomBytes(6).toString('hex')}`;
  const listening = await listen(own);
  try {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      if (await linkIfAbsent(own, lockPath)) return held(listening, lockPath);
      const taken = await takeOver(own, lockPath);
      if (taken === 'alive') return undefined;
      if (taken === 'taken') return held(listening, lockPath);
    }
    return undefined;
  } finally {
    await unlinkIfPresent(own);
    if (!listening.held) await closeServer(listening.server);
  }
}

/** Puts `own` in the place of a dead lock. `again` when others moved meanwhile. */
async function takeOver(own: string, lockPath: string): Promise<'taken' | 'alive' | 'again'> {
  const dead = await deadInode(lockPath);
  if (dead === 'alive') return 'alive';
  if (dead === 'gone') return 'again';
  let claim = `${lockPath}.claim-${dead}`;
  const abandoned: string[] = [];
  // A claim whose owner died on the way is never removed before the lock has moved: it is claimed in its turn.
  while (!(await linkIfAbsent(own, claim))) {
    const owner = await deadInode(claim);
    if (owner === 'alive') return 'alive';
    if (owner === 'gone') return 'again';
    abandoned.push(claim);
    claim = `${claim}-${owner}`;
  }
  try {
    if ((await deadInode(lockPath)) !== dead) return 'again';
    await fs.rename(own, lockPath);
    for (const file of abandoned) await unlinkIfPresent(file);
    return 'taken';
  } finally {
    await unlinkIfPresent(claim);
  }
}

interface Listening {
  readonly server: net.Server;
  held: boolean;
}

function held(listening: Listening, lockPath: string): DiskLock {
  listening.held = true;
  let released: Promise<void> | undefined;
  const release = async () => {
    await unlinkIfPresent(lockPath);
    await closeServer(listening.server);
  };
  return {
    release: () => {
      released ??= release();
      return released;
    },
  };
}

function listen(socketPath: string): Promise<Listening> {
  return new Promise((resolve, reject) => {
    const server = net.createServer((socket) => socket.destroy());
    server.once('error', reject);
    server.listen(socketPath, () => {
      server.removeListener('error', reject);
      server.unref();
      resolve({ server, held: false });
    });
  });
}

function closeServer(server: net.Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}

/** The inode of a socket that nobody listens on; `alive` when somebody does, `gone` when there is none. */
async function deadInode(socketPath: string): Promise<number | 'alive' | 'gone'> {
  const inode = await inodeOf(socketPath);
  if (inode === undefined) return 'gone';
  return new Promise((resolve) => {
    const socket = net.connect(socketPath);
    socket.once('connect', () => {
      socket.destroy();
      resolve('alive');
    });
    socket.once('error', (error) => {
      const code = errorCode(error);
      if (code === 'ENOENT') resolve('gone');
      // Anything but a refusal tells nothing: then somebody may live, and the lock stays theirs.
      else resolve(code === 'ECONNREFUSED' || code === 'ENOTSOCK' ? inode : 'alive');
    });
  });
}

async function inodeOf(file: string): Promise<number | undefined> {
  try {
    return (await fs.lstat(file)).ino;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function linkIfAbsent(from: string, to: string): Promise<boolean> {
  try {
    await fs.link(from, to);
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
}

async function unlinkIfPresent(file: string): Promise<void> {
  try {
    await fs.unlink(file);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}

/** On Windows a named pipe is the lock as it is: the first to listen has it, and it ends with the process. */
async function lockPipe(name: string): Promise<DiskLock | undefined> {
  try {
    const { server } = await listen(name);
    return { release: () => closeServer(server) };
  } catch (error) {
    if (errorCode(error) === 'EADDRINUSE') return undefined;
    throw error;
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 24);
}
