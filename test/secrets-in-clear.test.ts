/**
 * A cluster of processes that is given secrets, searched for them: its state directories, what its processes print, the
 * events that it tells, its errors, and the command lines and environments of all processes of this machine.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MEMORY_DIR } from '@skep/core/node';
import { afterEach, describe, expect, it } from 'vitest';
import type { Orders } from './secrets-in-clear/member.ts';

const MEMBER = fileURLToPath(new URL('./secrets-in-clear/member.ts', import.meta.url));

interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

/** A node's process, as the test has it. */
class Member {
  readonly #child: ChildProcess;
  readonly #answers = new Map<number, (answer: Answer) => void>();
  readonly printed: Buffer[] = [];
  readonly ended: Promise<void>;
  #asked = 0;

  constructor() {
    this.#child = spawn(process.execPath, ['--conditions=@skep/source', '--import=tsx', MEMBER], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#child.stdout?.on('data', (bytes: Buffer) => this.printed.push(bytes));
    this.#child.stderr?.on('data', (bytes: Buffer) => this.printed.push(bytes));
    this.#child.on('message', (answer: Answer) => this.#answers.get(answer.id)?.(answer));
    this.ended = new Promise((resolve) => this.#child.once('exit', () => resolve()));
  }

  ask<K extends keyof Orders>(name: K, ...args: Parameters<Orders[K]>): ReturnType<Orders[K]> {
    const id = ++this.#asked;
    const answered = new Promise((resolve, reject) => {
      this.#answers.set(id, ({ value, error }) =>
        error === undefined ? resolve(value) : reject(new Error(error)),
      );
      void this.ended.then(() => reject(new Error(Buffer.concat(this.printed).toString().slice(-2_000))));
    });
    this.#child.send({ id, name, args });
    return answered as ReturnType<Orders[K]>;
  }

  /** Ends it, with its tasks. */
  async end(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    await this.ended;
  }
}

const members: Member[] = [];
const directories: string[] = [];

async function directory(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'skep-secrets-'));
  directories.push(made);
  return made;
}

afterEach(async () => {
  // The managers last: until then tasks end in order.
  for (const member of members.splice(0).reverse()) await member.end();
  for (const each of directories.splice(0)) await rm(each, { recursive: true, force: true });
});

/** What would give a secret away, wherever it stood: as it is, and in the ways that bytes are usually written. */
function needlesOf(secrets: Readonly<Record<string, string>>): readonly (readonly [string, Buffer])[] {
  return Object.entries(secrets).flatMap(([name, text]) => {
    if (!text.includes('PRIVATE KEY')) {
      const secret = text.split('-').at(-1) ?? text;
      const bytes = Buffer.from(secret);
      const forms = [secret, bytes.toString('base64').replace(/.?=*$/, ''), bytes.toString('hex')];
      return forms.map((form) => [name, Buffer.from(form)] as const);
    }
    const pem = text.replace(/-----[^-]+-----|\s/g, '');
    // The key itself stands at byte 36 of PKCS #8 for P-256, which is letter 48; what is around it all keys share.
    const key = Buffer.from(pem, 'base64').subarray(36, 68);
    const forms = [pem.slice(48, 64), pem.slice(64, 88), key.toString('hex'), key];
    return forms.map((form) => [name, Buffer.from(form)] as const);
  });
}

type Needles = ReturnType<typeof needlesOf>;

function foundIn(where: string, content: Buffer, needles: Needles): string[] {
  return needles.filter(([, form]) => content.includes(form)).map(([name]) => `${name} in ${where}`);
}

async function foundInFiles(dir: string, needles: Needles): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    found.push(...foundIn('a path', Buffer.from(path), needles));
    if (entry.isFile()) found.push(...foundIn(path, await readFile(path), needles));
  }
  return found;
}

/** In what the system tells anybody of processes: of all there are, since a task is no child of its node. */
async function foundInProcesses(needles: Needles): Promise<string[]> {
  const found: string[] = [];
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  for (const pid of pids) {
    for (const file of ['cmdline', 'environ']) {
      const content = await readFile(`/proc/${pid}/${file}`).catch(() => Buffer.alloc(0));
      found.push(...foundIn(`/proc/${pid}/${file}`, content, needles));
    }
  }
  return found;
}

/** In the files that tasks of this cluster are given, in memory. */
async function foundInMemory(clusterId: string, needles: Needles): Promise<string[]> {
  const parent = join(MEMORY_DIR, `skep-${userInfo().uid}`);
  const names = await readdir(parent).catch((): string[] => []);
  const own = names.filter((name) => name.startsWith(`${clusterId}.`));
  return (await Promise.all(own.map((name) => foundInFiles(join(parent, name), needles)))).flat();
}

describe('given a cluster of processes that keeps secrets, at work', () => {
  it('when all that it leaves behind is read, then no secret, token or key is there in clear', async () => {
    const dirs = [await directory(), await directory(), await directory()] as const;
    const [one, two, worker] = dirs.map(() => new Member()) as [Member, Member, Member];
    members.push(one, two, worker);
    const first = `first value ${randomUUID()}`;
    const second = `second value ${randomUUID()}`;
    const { address, clusterId } = await one.ask('init', join(dirs[0], 'node'));
    const before = await one.ask('secrets');
    await two.ask('join', join(dirs[1], 'node'), before['manager'] ?? '', address);
    await worker.ask('join', join(dirs[2], 'node'), before['worker'] ?? '', address);
    await two.ask('keep', 'create', 'password', first);
    await two.ask('run', 'web', 'password');
    await two.ask('settle', 'web');
    await one.ask('keep', 'rotate', 'password', second);
    await one.ask('settle', 'web');
    await two.ask('rotateTokens');
    await one.ask('rotateRoot');
    await one.ask('lock');
    const after = await two.ask('secrets');
    const errors = await two.ask('fail', join(dirs[1], 'never'), 'password', second);
    const prefixed = (when: string, secrets: Record<string, string>) =>
      Object.fromEntries(Object.entries(secrets).map(([name, value]) => [`${name} ${when}`, value]));
    const needles = needlesOf({
      ...{ first, second },
      ...prefixed('before', before),
      ...prefixed('after', after),
    });
    expect(Object.keys(after).sort()).toEqual(['manager', 'rootKey', 'unlockKey', 'worker']);
    expect(errors.length).toBeGreaterThan(5);
    expect(foundIn('errors', Buffer.from(errors.join('\n')), needles)).toEqual([]);
    for (const manager of [one, two]) {
      const told = await manager.ask('told');
      expect(told).toContain('password');
      expect(foundIn('events', Buffer.from(told), needles)).toEqual([]);
    }
    for (const dir of dirs) expect(await foundInFiles(dir, needles)).toEqual([]);
    expect(await foundInProcesses(needles)).toEqual([]);
    for (const { printed } of members) {
      const text = Buffer.concat(printed);
      expect(text.length).toBeGreaterThan(100);
      expect(foundIn('output', text, needles)).toEqual([]);
    }
    // Where it may be, in memory beside the tasks, the search finds it; and on a disk it would.
    expect((await foundInMemory(clusterId, needles)).length).toBeGreaterThan(0);
    await writeFile(join(dirs[0], 'planted'), Object.values(before).join('\n'));
    const names = (await foundInFiles(dirs[0], needles)).map((found) => found.split(' in ')[0]);
    expect([...new Set(names)].sort()).toEqual(['manager before', 'rootKey before', 'worker before']);
    for (const member of [worker, two, one]) await member.end();
    expect(await foundInMemory(clusterId, needles)).toEqual([]);
    await rm(join(dirs[0], 'planted'));
    for (const dir of dirs) expect(await foundInFiles(dir, needles)).toEqual([]);
  }, 180_000);
});
