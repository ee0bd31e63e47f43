/**
 * A lock on a directory that ends with its holder, in whatever way that ends: a listening socket. Node has no flock,
 * and a file with a process id in it leaves guessing (ids are used again, and mean nothing in another container).
 *
 * Everyone who wants the lock listens on a socket of a name never used before and only then looks for others, so that
 * of any two at least one sees the other. Who answers "held" keeps the lock. Of two who both want it the lower name
 * stays and the other goes. A socket that refuses is dead, its name is never used again, and anyone may remove it.
 */

import { createHash, randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import * as net from 'node:net';
import * as os from 'node:os';
import * as path from 'node:path';
import type { DiskLock } from './disk.ts';
import { systemCode } from './errors.ts';

/** A path of a socket may have 104 bytes on some systems, with the final zero. */
const SOCKET_PATH_BYTES_MAX = 100;

/** Who accepts and says nothing for so long is held up, not dead: then the lock is theirs. */
const ANSWER_MS = 2_000;

const NAME = /^lock-[0-9a-f]{16}\.sock$/;
const HELD = 'held';
const WANTED = 'want';

/** Takes the lock of a directory that exists, or resolves to undefined when somebody has it. */
export async function lockDirectory(directory: string): Promise<DiskLock | undefined> {
  const real = await fs.realpath(directory);
  if (process.platform === 'win32') return lockPipe(`\\\\.\\pipe\\skep-raft-${digest(real)}`);
  const name = `lock-${randomBytes(8).toString('hex')}.sock`;
  if (Buffer.byteLength(path.join(real, name)) <= SOCKET_PATH_BYTES_MAX) {
    try {
      return await contend(real, name);
    } catch (error) {
      // Some file systems can't hold a socket.
      if (!['EPERM', 'EOPNOTSUPP', 'ENOTSUP', 'EINVAL'].includes(systemCode(error) ?? '')) throw error;
    }
  }
  const elsewhere = path.join(os.tmpdir(), `skep-raft-${digest(real)}`);
  await fs.mkdir(elsewhere, { recursive: true, mode: 0o700 });
  return contend(elsewhere, name);
}

async function contend(directory: string, name: string): Promise<DiskLock | undefined> {
  const own = await listen(path.join(directory, name));
  try {
    while (own.state === WANTED) {
      const rivals = await Promise.all(
        (await fs.readdir(directory))
          .filter((each) => NAME.test(each) && each !== name)
          .map(async (each) => ({ name: each, answer: await ask(path.join(directory, each)) })),
      );
      const living = rivals.filter(({ answer }) => answer !== 'gone');
      if (living.length === 0) own.state = HELD;
      else if (living.some((rival) => rival.answer === HELD || rival.name < name)) return undefined;
      // A rival of a higher name sees this one and goes, or saw nobody and is about to answer that it holds the lock.
    }
  } finally {
    if (own.state !== HELD) await own.release();
  }
  return { release: () => own.release() };
}

interface OwnSocket {
  state: typeof HELD | typeof WANTED;
  release(): Promise<void>;
}

async function listen(socketPath: string): Promise<OwnSocket> {
  let released: Promise<void> | undefined;
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.end(own.state);
  });
  const own: OwnSocket = {
    state: WANTED,
    release() {
      released ??= remove(socketPath).then(() => closed(server));
      return released;
    },
  };
  await listening(server, socketPath);
  return own;
}

/** What the one who listens there says; `gone` if nobody does. */
function ask(socketPath: string): Promise<typeof HELD | typeof WANTED | 'gone'> {
  return new Promise((resolve) => {
    let said = '';
    const socket = net.connect(socketPath);
    socket.setEncoding('latin1').setTimeout(ANSWER_MS);
    socket.on('data', (text: string) => {
      said += text;
    });
    const end = (answer: typeof HELD | typeof WANTED | 'gone') => {
      socket.destroy();
      resolve(answer);
    };
    socket.on('end', () => end(said === WANTED ? WANTED : HELD));
    socket.on('timeout', () => end(HELD));
    socket.on('error', (error) => {
      const code = systemCode(error);
      if (code === 'ENOENT') end('gone');
      else if (code === 'ECONNREFUSED') void remove(socketPath).then(() => end('gone'));
      // It listened a moment ago, or is too busy to accept.
      else end(code === 'ECONNRESET' || code === 'EPIPE' ? WANTED : HELD);
    });
  });
}

async function lockPipe(name: string): Promise<DiskLock | undefined> {
  const server = net.createServer((socket) => socket.destroy());
  try {
    await listening(server, name);
  } catch (error) {
    if (systemCode(error) === 'EADDRINUSE') return undefined;
    throw error;
  }
  return { release: () => closed(server) };
}

function listening(server: net.Server, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(address, () => {
      server.removeListener('error', reject);
      server.unref();
      resolve();
    });
  });
}

function closed(server: net.Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}

async function remove(file: string): Promise<void> {
  try {
    await fs.unlink(file);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 24);
}
