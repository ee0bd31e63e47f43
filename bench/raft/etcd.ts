/**
 * Three members of etcd on loopback, with the same authority's certificates between them and towards clients, and a
 * load through etcd's own Go client, which is built on first use. Where either is missing, the caller is told what to
 * install.
 */

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { TestAuthority } from '../../packages/raft/src/adapters/test-support/certificates.ts';
import type { LoopResult } from './closed-loop.ts';

const run = promisify(execFile);
const CLIENT_SOURCE = fileURLToPath(new URL('etcd-client', import.meta.url));
const NAMES = ['etcd-1', 'etcd-2', 'etcd-3'];

/** What to install where etcd can't be run. */
export const ETCD_PACKAGES = 'etcd-server golang-go golang-etcd-server-dev';

/** One etcd cluster. */
export class Etcd {
  readonly version: string;
  readonly #members: readonly ChildProcess[];
  readonly #client: string;
  readonly #arguments: readonly string[];

  private constructor(
    version: string,
    members: readonly ChildProcess[],
    client: string,
    clientArguments: readonly string[],
  ) {
    this.version = version;
    this.#members = members;
    this.#client = client;
    this.#arguments = clientArguments;
  }

  /** Starts three members; undefined, and why, if they or their client can't be had here. */
  static async start(directory: string, authority: TestAuthority): Promise<Etcd | string> {
    let version: string;
    const client = path.join(directory, 'etcd-client');
    await mkdir(directory, { recursive: true });
    try {
      const { stdout } = await run('etcd', ['--version']);
      version = /etcd Version: (\S+)/.exec(stdout)?.[1] ?? 'unknown';
      // Debian keeps Go libraries where a build without modules finds them.
      const env = { ...process.env, GO111MODULE: 'off', GOPATH: '/usr/share/gocode' };
      await run('go', ['build', '-o', client, '.'], { cwd: CLIENT_SOURCE, env });
    } catch (error) {
      const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
      return `etcd is left out (${reason}); on Debian: apt-get install ${ETCD_PACKAGES}`;
    }
    const files = await writeIdentity(directory, authority);
    const ports = await freePorts(2 * NAMES.length);
    const clientUrl = (at: number) => `https://127.0.0.1:${ports[2 * at]}`;
    const peerUrl = (at: number) => `https://127.0.0.1:${ports[2 * at + 1]}`;
    const members = NAMES.map((name, at) =>
      spawn(
        'etcd',
        Object.entries({
          name,
          'data-dir': path.join(directory, name),
          'listen-client-urls': clientUrl(at),
          'advertise-client-urls': clientUrl(at),
          'listen-peer-urls': peerUrl(at),
          'initial-advertise-peer-urls': peerUrl(at),
          'initial-cluster': NAMES.map((each, number) => `${each}=${peerUrl(number)}`).join(','),
          'initial-cluster-token': path.basename(directory),
          'cert-file': files.cert,
          'key-file': files.key,
          'trusted-ca-file': files.ca,
          'client-cert-auth': 'true',
          'peer-cert-file': files.cert,
          'peer-key-file': files.key,
          'peer-trusted-ca-file': files.ca,
          'peer-client-cert-auth': 'true',
          'quota-backend-bytes': String(8 * 1024 ** 3),
          'log-level': 'error',
        }).map(([flag, value]) => `--${flag}=${value}`),
        { stdio: 'ignore' },
      ),
    );
    const endpoints = NAMES.map((_, at) => clientUrl(at)).join(',');
    const clientArguments = [
      '-endpoints',
      endpoints,
      '-ca',
      files.ca,
      '-cert',
      files.cert,
      '-key',
      files.key,
    ];
    const etcd = new Etcd(version, members, client, clientArguments);
    await etcd.#untilServing();
    return etcd;
  }

  /** Closed loops of puts, or of linearizable reads, against the leader. */
  async load(
    op: 'put' | 'get',
    clients: number,
    seconds: number,
    { connections, keys }: { readonly connections: number; readonly keys: number },
  ): Promise<LoopResult> {
    const flags = { op, clients, seconds, conns: Math.min(clients, connections), keys };
    const { stdout } = await run(this.#client, [
      ...this.#arguments,
      ...Object.entries(flags).flatMap(([flag, value]) => [`-${flag}`, String(value)]),
    ]);
    return JSON.parse(stdout) as LoopResult;
  }

  async close(): Promise<void> {
    await Promise.all(
      this.#members.map((member) => {
        if (member.exitCode !== null || member.signalCode !== null) return undefined;
        const ended = new Promise<void>((resolve) => member.once('exit', () => resolve()));
        member.kill('SIGKILL');
        return ended;
      }),
    );
  }

  async #untilServing(): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      try {
        await this.load('put', 1, 0.2, { connections: 1, keys: 1 });
        return;
      } catch (error) {
        if (attempt >= 20) throw error;
      }
    }
  }
}

async function writeIdentity(directory: string, authority: TestAuthority) {
  const identity = authority.identityOf('etcd');
  const file = (name: string) => path.join(directory, `${name}.pem`);
  for (const name of ['key', 'cert', 'ca'] as const) {
    await writeFile(file(name), identity[name], { mode: 0o600 });
  }
  return { key: file('key'), cert: file('cert'), ca: file('ca') };
}

/** Ports that were free a moment ago. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve) => {
          const server = createServer();
          server.listen(0, '127.0.0.1', () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  });
  await Promise.all(servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))));
  return ports;
}
