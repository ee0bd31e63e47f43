/** Three members of `@skep/raft` as processes, and clients in a process of their own. */

import { fork } from 'node:child_process';
import { ProcessCluster } from '../../packages/raft/src/adapters/test-support/process-cluster.ts';
import type { ClientOrder } from './client.ts';
import type { LoopResult } from './closed-loop.ts';

const MEMBER = new URL('member.ts', import.meta.url);
const CLIENT = new URL('client.ts', import.meta.url);

/** How a cluster under measurement is made. */
export interface SkepOptions {
  readonly directory: string;
  /** Keys of the state, each with a value of 256 bytes. */
  readonly keys: number;
  readonly raft?: NonNullable<Parameters<typeof ProcessCluster.start>[0]['options']>['raft'];
  /** 0 takes no snapshots. Default: the library's. */
  readonly snapshotEntries?: number;
  readonly nodeFlags?: readonly string[];
}

/** Starts three members, and resolves when one serves. */
export function startSkep(options: SkepOptions): Promise<ProcessCluster> {
  const { directory, keys, raft, snapshotEntries, nodeFlags = [] } = options;
  process.env['SKEP_BENCH_KEYS'] = String(keys);
  return ProcessCluster.start({
    ids: ['a', 'b', 'c'],
    program: MEMBER,
    directory,
    nodeFlags,
    options: {
      ...(raft === undefined ? {} : { raft }),
      ...(snapshotEntries === undefined
        ? {}
        : { snapshotEntries, snapshotBytes: snapshotEntries && 2 ** 26 }),
    },
  });
}

/** Closed loops of puts or linearizable reads from a process of their own against the leader. */
export async function loadFromOutside(
  cluster: ProcessCluster,
  order: Omit<ClientOrder, 'port' | 'identity'>,
): Promise<LoopResult> {
  const leader = await cluster.serving();
  const port = await leader.call<number>('door');
  const child = fork(CLIENT, {
    execArgv: ['--conditions=@skep/source', '--import=tsx'],
    serialization: 'advanced',
  });
  return new Promise((resolve, reject) => {
    child.once('message', (result: LoopResult) => resolve(result));
    child.once('exit', (code) => reject(new Error(`the clients have ended with ${code}`)));
    child.send({ ...order, port, identity: cluster.authority.identityOf('client') } satisfies ClientOrder);
  });
}
