/** Replays all recordings against three daemons of this process, whose tasks are processes. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '@skep/core/member';
import { Daemon } from '../../daemon/daemon.ts';
import { STAND_INS } from '../stand-ins.ts';
import { recordings } from './recording.ts';
import { type ReplayedExchange, replay } from './replay.ts';

const STAND_IN = STAND_INS.alpine;
/** Images of the recordings that no walk-through uses. */
const PROGRAMS = { ...STAND_INS, 'nginx:latest': STAND_IN, 'busybox:latest': STAND_IN };

/** Makes the daemons, replays, and leaves nothing. */
export async function runConformance(): Promise<ReplayedExchange[]> {
  const dir = await mkdtemp(join(tmpdir(), 'skep-conformance-'));
  const daemons: Daemon[] = [];
  try {
    const programs = join(dir, 'programs.json');
    await writeFile(programs, JSON.stringify(PROGRAMS));
    const port = await freePort();
    const socketOf = async (hostname: string, host: string) => {
      const socket = join(dir, `${hostname}.sock`);
      const daemon = await Daemon.start(
        {
          ...{ hostname, programs, address: `${host}:${port}`, dataRoot: join(dir, hostname) },
          ...{ hosts: [{ kind: 'unix', path: socket }], driver: 'process', engine: undefined },
          ...{ anyCommand: true, pidfile: undefined, tls: undefined, insecureTcp: false, stopTasks: true },
        },
        silentLogger,
      );
      daemons.push(daemon);
      return socket;
    };
    const sockets = {
      n1: await socketOf('n1', '127.0.0.1'),
      n2: await socketOf('n2', '127.0.0.2'),
      n3: await socketOf('n3', '127.0.0.3'),
    };
    return await replay(recordings(), { sockets, remote: `127.0.0.1:${port}` });
  } finally {
    await Promise.all(daemons.map((daemon) => daemon.close()));
    await rm(dir, { recursive: true, force: true });
  }
}

/** A port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
