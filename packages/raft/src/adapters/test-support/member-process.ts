/**
 * One member of a cluster as a process of its own: a node on a directory, reached over mutual TLS, driven by the
 * process that forked it. See `process-cluster.ts` for the other end.
 */

import { createSecureContext } from 'node:tls';
import type { NodeStatus } from '../../node/node-status.ts';
import type { RaftNodeOptions } from '../../node/options.ts';
import type { RaftMetricLabels, RaftMetrics } from '../../node/ports.ts';
import { RaftNode } from '../../node/raft-node.ts';
import type { RaftStateMachine } from '../../node/state-machine.ts';
import { systemRaftClock, systemRaftRandom } from '../../node/system-clock.ts';
import { FileStorage, KeyRing } from '../file-storage/index.ts';
import { TcpTransport } from '../tcp-transport/index.ts';
import { answerCall, type CalledMethods, type CallMessage, tellParent } from './called-process.ts';
import type { TestIdentity } from './certificates.ts';

/** What a member's process is told first. */
export interface MemberConfig {
  readonly id: string;
  readonly directory: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly identity: TestIdentity;
  /** 32 bytes, under which its disk is sealed. */
  readonly key: Uint8Array;
  readonly options: Pick<RaftNodeOptions, 'bootstrap' | 'raft' | 'snapshotEntries' | 'snapshotBytes'>;
}

/** From the parent: the first members, once all addresses are known, or a call. */
export type ToMember =
  | { readonly kind: 'config'; readonly config: MemberConfig }
  | { readonly kind: 'start'; readonly bootstrap?: RaftNodeOptions['bootstrap'] }
  | CallMessage;

/** What the member tells of itself. */
export type FromMember =
  | { readonly kind: 'listening'; readonly address: string }
  | { readonly kind: 'status'; readonly status: MemberStatus };

/** A node's status as it passes between processes. */
export type MemberStatus = Omit<NodeStatus, 'failure'> & { readonly failure?: string };

/** What a member's process has. */
export interface MemberParts<M extends RaftStateMachine> {
  readonly node: RaftNode;
  readonly machine: M;
  readonly metrics: ProcessMetrics;
  readonly storage: FileStorage;
  readonly config: MemberConfig;
}

/** Adds up counts, and keeps the largest of what is observed. */
export class ProcessMetrics implements RaftMetrics {
  readonly counts = new Map<string, number>();
  readonly largest = new Map<string, number>();

  count(name: string, by: number, labels: RaftMetricLabels = {}): void {
    const key = [name, ...Object.values(labels)].join(' ');
    this.counts.set(key, (this.counts.get(key) ?? 0) + by);
  }

  gauge(): void {}

  observe(name: string, value: number): void {
    this.largest.set(name, Math.max(value, this.largest.get(name) ?? 0));
  }
}

/** Runs this process as a member until its parent ends it. */
export function serveMember<M extends RaftStateMachine>(
  makeMachine: (config: MemberConfig) => M,
  methodsOf: (parts: MemberParts<M>) => CalledMethods,
): void {
  let methods: CalledMethods = {};
  let begin: (bootstrap: RaftNodeOptions['bootstrap']) => Promise<void> = async () => {};
  process.on('disconnect', () => process.exit(0));
  process.on('message', (message: ToMember) => {
    if (message.kind === 'config') {
      void prepare(message.config, makeMachine).then(({ parts, address }) => {
        begin = async (bootstrap) => {
          const made = parts(bootstrap);
          const { node } = made;
          methods = { ...commonMethods(node), ...methodsOf(made) };
          node.onStatus(() => tell({ kind: 'status', status: statusOf(node) }));
          const began = performance.now();
          await node.start();
          const tookMs = performance.now() - began;
          methods = { ...methods, startedMs: () => tookMs };
        };
        tell({ kind: 'listening', address });
      });
    } else if (message.kind === 'start') void begin(message.bootstrap);
    else void answerCall(methods, message);
  });
}

async function prepare<M extends RaftStateMachine>(
  config: MemberConfig,
  makeMachine: (config: MemberConfig) => M,
) {
  const { id, identity, port, directory, key, options } = config;
  const context = createSecureContext({ ...identity, minVersion: 'TLSv1.3' });
  const metrics = new ProcessMetrics();
  const host = { clock: systemRaftClock, random: systemRaftRandom, metrics };
  const transport = new TcpTransport({
    id,
    cluster: 'processes',
    listen: { host: '127.0.0.1', port },
    tls: { context: () => context, isMember: (member, { subject }) => subject?.CN === member },
    ...host,
  });
  const address = await transport.listen();
  const storage = new FileStorage({ directory, keys: new KeyRing({ id: 'test', key }) });
  const machine = makeMachine(config);
  const parts = (bootstrap: RaftNodeOptions['bootstrap']): MemberParts<M> => {
    const founding = bootstrap === undefined ? {} : { bootstrap };
    const node = new RaftNode({ id, machine, storage, transport, ...host, ...options, ...founding });
    return { node, machine, metrics, storage, config };
  };
  return { parts, address };
}

function commonMethods(node: RaftNode): CalledMethods {
  return {
    status: () => statusOf(node),
    transfer: (target?: string) => node.transferLeadership(target),
    addMember: (...args: Parameters<RaftNode['addMember']>) => node.addMember(...args),
    changeMembers: (...args: Parameters<RaftNode['changeMembers']>) => node.changeMembers(...args),
    removeMember: (member: string) => node.removeMember(member),
    snapshot: (options?: { readonly discard?: boolean }) => node.snapshot(options),
    close: () => node.close(),
  };
}

function statusOf(node: RaftNode): MemberStatus {
  const { failure, ...status } = node.status;
  return { ...status, ...(failure === undefined ? {} : { failure: failure.message }) };
}

function tell(message: FromMember): void {
  tellParent(message);
}
