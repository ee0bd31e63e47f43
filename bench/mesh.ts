/** The userspace data plane beside HAProxy and beside the least that Node can do, on loopback, in turns. */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { median } from './harness/statistics.ts';
import { type Table, whole } from './harness/table.ts';

const END = fileURLToPath(new URL('mesh/end.ts', import.meta.url));
const HOST = '127.0.0.1';

/** Per second, medians of the rounds. */
export interface MeshResult {
  readonly rounds: number;
  readonly requests: { readonly skep: number; readonly haproxy: number };
  readonly bulkBytes: { readonly skep: number; readonly haproxy: number };
  readonly datagrams: { readonly skep: number; readonly forwarder: number };
}

/** @throws Error without `haproxy` on the path */
export async function benchMesh({
  rounds,
  seconds,
}: {
  rounds: number;
  seconds: number;
}): Promise<MeshResult> {
  const children: ChildProcess[] = [];
  const home = await mkdtemp(join(tmpdir(), 'skep-bench-mesh-'));
  const end = async (role: string, port = 0): Promise<{ port: number; perSecond: number }> => {
    const args = ['--conditions=@skep/source', '--import=tsx', END, role, String(port), String(seconds)];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    children.push(child);
    for await (const line of createInterface({ input: child.stdout })) return JSON.parse(line);
    throw new Error(`${role} ended without a word`);
  };
  try {
    const answerer = await end('answerer');
    const haproxy = await startHaproxy(home, answerer.port, children);
    const skep = await end('balancer', answerer.port);
    const echo = await end('echo');
    const [forwarder, datagrams] = [await end('forwarder', echo.port), await end('datagrams', echo.port)];
    const inTurns = async (role: string, ports: readonly [own: number, other: number]) => {
      const figures: [number[], number[]] = [[], []];
      for (let round = 0; round < rounds; round++) {
        // Who is first changes, so that neither has the warmer machine.
        for (const at of round % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const)) {
          figures[at].push((await end(role, ports[at])).perSecond);
        }
      }
      return [median(figures[0]), median(figures[1])] as const;
    };
    const requests = await inTurns('requests', [skep.port, haproxy]);
    const bulk = await inTurns('bulk', [skep.port, haproxy]);
    const pings = await inTurns('pings', [datagrams.port, forwarder.port]);
    return {
      rounds,
      requests: { skep: requests[0], haproxy: requests[1] },
      bulkBytes: { skep: bulk[0], haproxy: bulk[1] },
      datagrams: { skep: pings[0], forwarder: pings[1] },
    };
  } finally {
    for (const child of children) child.kill('SIGKILL');
    await rm(home, { recursive: true, force: true });
  }
}

/** One thread, passing connections on as they are. */
async function startHaproxy(home: string, target: number, children: ChildProcess[]): Promise<number> {
  const free = createServer().listen(0, HOST);
  await new Promise((resolve) => free.once('listening', resolve));
  const { port } = free.address() as AddressInfo;
  await new Promise((resolve) => free.close(resolve));
  const config = `global
  nbthread 1
  maxconn 4096
defaults
  mode tcp
  timeout connect 3s
  timeout client 60s
  timeout server 60s
listen bench
  bind ${HOST}:${port}
  server a ${HOST}:${target}
`;
  await writeFile(join(home, 'haproxy.cfg'), config);
  const child = spawn('haproxy', ['-db', '-f', join(home, 'haproxy.cfg')], { stdio: 'ignore' });
  const failed = new Promise<never>((_, reject) => {
    child.once('error', () => reject(new Error('haproxy is not installed: apt-get install haproxy')));
    child.once('exit', (code) => reject(new Error(`haproxy ended with ${code}`)));
  });
  failed.catch(() => {});
  children.push(child);
  await Promise.race([failed, listens(port)]);
  return port;
}

async function listens(port: number): Promise<void> {
  for (;;) {
    const isThere = await new Promise<boolean>((resolve) => {
      const socket = connect({ host: HOST, port });
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (isThere) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The figures, with the ratios that count. */
export function meshTable({ requests, bulkBytes, datagrams }: MeshResult): Table {
  const percent = (own: number, other: number) => `${Math.round((own / other) * 100)} %`;
  const megabytes = (bytes: number) => whole(bytes / 1e6);
  return {
    headings: ['on loopback, per second', 'Skep', 'beside it', 'share'],
    rows: [
      [
        'keep-alive requests over 64 connections, beside HAProxy (one thread)',
        whole(requests.skep),
        whole(requests.haproxy),
        percent(requests.skep, requests.haproxy),
      ],
      [
        'megabytes over 2 connections, beside HAProxy (one thread)',
        megabytes(bulkBytes.skep),
        megabytes(bulkBytes.haproxy),
        percent(bulkBytes.skep, bulkBytes.haproxy),
      ],
      [
        'datagrams there and back from 32 clients, beside a bare forwarder in Node',
        whole(datagrams.skep),
        whole(datagrams.forwarder),
        percent(datagrams.skep, datagrams.forwarder),
      ],
    ],
  };
}
