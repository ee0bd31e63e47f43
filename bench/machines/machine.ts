/**
 * The program of one machine under measurement: a node of a cluster, or many light ones, driven by the process that
 * forked it. Times of events are on the clock that all processes share.
 */

import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster, NodeId, Task } from '@skep/core';
import { init, join, type SkepNode, start } from '@skep/node';
import { ProcessDriver } from '@skep/process-driver';
import {
  answerCall,
  type CalledMethods,
  type CallMessage,
} from '../../packages/raft/src/adapters/test-support/called-process.ts';
import { Prober, sharedNow } from '../harness/prober.ts';
import { cuttable } from './cuttable.ts';
import { LightNodes } from './light-nodes.ts';
import { LossWatch } from './loss-watch.ts';
import { tasksAt } from './tasks-at.ts';

/** How a node comes to be, and with what. */
export interface NodeOrder {
  readonly how: 'init' | 'join' | 'start';
  readonly dir: string;
  readonly hostname: string;
  /** What runs tasks here; a manager needs nothing that does. */
  readonly driver?: 'process' | undefined;
  readonly token?: string;
  readonly remotes?: readonly string[];
}

/** How it was. */
export interface Become {
  readonly nodeId: NodeId;
  readonly advertise: string;
  /** From the call until the library said that it is a node. */
  readonly tookMs: number;
}

/** Between two looks at what is waited for, in ms. */
const LOOK_MS = 2;
const GONE_LOOK_MS = 50;
/** Between two commands of a prober, in ms. */
const PROBE_MS = 10;

const network = cuttable();
const delay = monitorEventLoopDelay({ resolution: 10 });
const light = new LightNodes();
let node: SkepNode | undefined;
let prober: Prober | undefined;
let watch: LossWatch | undefined;
let cpuBegan = process.cpuUsage();

const methods: CalledMethods = {
  async become(order: NodeOrder): Promise<Become> {
    const began = performance.now();
    node = await becoming(order);
    return { nodeId: node.nodeId, advertise: node.advertise, tookMs: performance.now() - began };
  },
  ping: () => {},
  leave: () => present().leave(),
  tokens: () => present().joinTokens(),
  leads: () => cluster().leading,
  /** When a node was seen to be ready here. */
  readyAt: async (id: NodeId) => {
    await until(() => cluster().nodes.get(id)?.status.state === 'ready');
    return sharedNow();
  },
  readyCount: () => cluster().nodes.list({ state: 'ready', role: 'worker' }).length,

  create: (name: string, image: string, replicas: number) =>
    cluster().services.create({
      ...{ name, replicas, task: { image, restart: { delayMs: 0 } } },
    }),
  remove: (name: string) => cluster().services.remove(name),
  /** Resolves once no task is known here. */
  gone: () => until(() => cluster().tasks.list().length === 0, GONE_LOOK_MS),
  /** When so many tasks were seen in a state here. */
  tasksAt: (state: Task['status']['state'], count: number) => tasksAt(cluster(), state, count),
  tasksOf: (name: string) => tasksOf(name),
  index: () => cluster().health.index,
  applied: (index: number) => until(() => cluster().health.index >= index),

  /** Commands of its own from now on, one every few ms, whether or not those before are answered. */
  probe: async (name: string) => {
    prober = new Prober({
      attempt: (number) => updated(name, number),
      isRunning: () => true,
      everyMs: PROBE_MS,
    });
    prober.start(0);
  },
  firstSince: (at: number) => prober?.firstSince(at),

  watchLosses: () => {
    watch = new LossWatch(cluster());
  },
  losses: () => watch?.seen,
  /** When a service was whole again without the tasks of a node. */
  wholeWithout: async (name: string, id: NodeId, replicas: number) => {
    await until(() => tasksOf(name).filter((task) => runs(task) && task.nodeId !== id).length >= replicas);
    return sharedNow();
  },
  downAt: async (id: NodeId) => {
    await until(() => cluster().nodes.get(id)?.status.state === 'down');
    return sharedNow();
  },
  /** Cuts every connection that this process has opened, and lets none be opened meanwhile. */
  cutFor: async (ms: number) => {
    network.cut();
    await sleep(ms);
    network.mend();
  },

  joinMany: (...order: Parameters<LightNodes['join']>) => light.join(...order),
  closeMany: () => light.close(),

  beginMeasuring: () => {
    cpuBegan = process.cpuUsage();
    delay.reset();
    delay.enable();
  },
  endMeasuring: () => {
    const { user, system } = process.cpuUsage(cpuBegan);
    delay.disable();
    return { cpuMs: (user + system) / 1000, longestPauseMs: delay.max / 1e6 };
  },
  /** What is alive after collections; needs `--expose-gc`. */
  alive: async () => {
    for (let turn = 0; turn < 3; turn++) {
      globalThis.gc?.();
      await sleep(100);
    }
    const { heapUsed, external, rss } = process.memoryUsage();
    return { heapUsed, external, rss };
  },
};

function becoming({ how, dir, hostname, driver, token = '', remotes = [] }: NodeOrder): Promise<SkepNode> {
  const common = {
    ...{ dir, hostname },
    ...(driver === 'process' ? { driver: sleepers() } : {}),
  };
  if (how === 'start') return start(common);
  const listen = '127.0.0.1:0';
  return how === 'init' ? init({ ...common, listen }) : join({ ...common, listen, token, remote: remotes });
}

/** Tasks that do nothing, as processes. */
function sleepers(): ProcessDriver {
  return new ProcessDriver({
    programs: { sleeper: { command: 'sleep', args: ['100000'] } },
    resources: { cpus: 64 },
  });
}

function present(): SkepNode {
  if (node === undefined) throw new Error('there is no node yet');
  return node;
}

function cluster(): Cluster {
  return present().cluster;
}

function tasksOf(service: string): readonly Task[] {
  return cluster().tasks.list({ service });
}

function runs({ status, desiredState }: Task): boolean {
  return status.state === 'running' && desiredState === 'running';
}

/** One small command. */
async function updated(name: string, number: number): Promise<boolean> {
  try {
    await cluster().services.apply({
      ...{ name, replicas: 0, task: { image: 'none' }, labels: { number: `${process.pid}-${number}` } },
    });
    return true;
  } catch {
    return false;
  }
}

/** Resolves once something holds. */
async function until(holds: () => boolean, lookMs = LOOK_MS): Promise<void> {
  while (!holds()) await sleep(lookMs);
}

process.on('disconnect', () => process.exit(0));
process.on('message', (message: CallMessage) => void answerCall(methods, message));
