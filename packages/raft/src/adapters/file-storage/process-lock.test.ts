import { spawn } from 'node:child_process';
import * as fs from 'node:fs/promises';
import * as net from 'node:net';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockDirectory } from './process-lock.ts';

describe('the lock of a directory', () => {
  let directory: string;

  beforeEach(async () => {
    directory = await fs.mkdtemp(path.join(os.tmpdir(), 'skep-raft-lock-'));
  });

  afterEach(() => fs.rm(directory, { recursive: true, force: true }));

  it('given that somebody holds it, then nobody else gets it until it is released', async () => {
    const held = await lockDirectory(directory);
    expect(held).toBeDefined();
    expect(await lockDirectory(directory)).toBeUndefined();
    await held?.release();
    const next = await lockDirectory(directory);
    expect(next).toBeDefined();
    await next?.release();
    expect(await fs.readdir(directory)).toEqual([]);
  });

  it('given many who want it at once, then exactly one gets it', async () => {
    for (let round = 0; round < 20; round++) {
      const locks = await Promise.all(Array.from({ length: 8 }, () => lockDirectory(directory)));
      const held = locks.filter((lock) => lock !== undefined);
      expect(held).toHaveLength(1);
      await held[0]?.release();
    }
  });

  it('given a holder that was killed, then it is free', async () => {
    const socket = path.join(directory, 'lock-0123456789abcdef.sock');
    const program = `require('net').createServer((s) => s.end('held')).listen(${JSON.stringify(socket)}, () => console.log('up'))`;
    const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    expect(await lockDirectory(directory)).toBeUndefined();
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
    expect(await fs.readdir(directory)).toContain('lock-0123456789abcdef.sock');
    const lock = await lockDirectory(directory);
    expect(lock).toBeDefined();
    await lock?.release();
    expect(await fs.readdir(directory)).toEqual([]);
  });

  it('given one that wants it and has a lower name, then this one goes', async () => {
    const rival = net.createServer((socket) => socket.end('want'));
    await new Promise<void>((resolve) =>
      rival.listen(path.join(directory, 'lock-0000000000000000.sock'), resolve),
    );
    expect(await lockDirectory(directory)).toBeUndefined();
    await new Promise((resolve) => rival.close(resolve));
  });

  it('given a path too long for a socket, then it is locked all the same', async () => {
    const long = path.join(directory, 'x'.repeat(120));
    await fs.mkdir(long);
    const held = await lockDirectory(long);
    expect(held).toBeDefined();
    expect(await lockDirectory(long)).toBeUndefined();
    await held?.release();
  });
});
