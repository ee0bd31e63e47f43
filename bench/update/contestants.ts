/**
 * Who replaces ten containers, one after the other: Skep, the bare engine with the same steps, and the engine's own
 * Swarm mode. Each keeps its ten from round to round.
 */

import http from 'node:http';
import { Cluster, type ServiceSpecInput } from '@skep/core';
import { DockerDriver } from '@skep/docker-driver';
import type { PrivateEngine } from '@skep/docker-driver/testing';
import { caller, type EngineCall, STEP_MS, until } from '../docker/engine-calls.ts';

const IMAGE = 'tiny:latest';

/** What the containers do when they are asked to stop. */
export const PROGRAMS = {
  'ends at SIGTERM': ['/bin/sh', '-c', 'trap "exit 0" TERM; while :; do sleep 1000 & wait; done'],
  'is deaf to SIGTERM': ['/bin/sh', '-c', 'trap "" TERM; while :; do sleep 1000 & wait; done'],
} as const;

/** One of {@link PROGRAMS}. */
export type Program = keyof typeof PROGRAMS;

/** Name of the engine's own Swarm mode among the contestants. */
export const SWARM = 'swarm mode';

/** Time to end in, for those that are deaf. */
const GRACE_S = 1;

/** What is asked of each. */
export interface UpdateParts {
  readonly replicas: number;
  readonly program: Program;
}

/** One way of replacing containers. */
export interface Updater {
  readonly name: string;
  /** Replaces all of them; resolves with the milliseconds that it took. */
  update(): Promise<number>;
  close(): Promise<void>;
}

/** A cluster of one node: from the call of `update` until it is seen that the update has completed. */
export async function skepUpdater(
  engine: PrivateEngine,
  { replicas, program }: UpdateParts,
): Promise<Updater> {
  const cluster = await Cluster.open({ driver: new DockerDriver({ engine: `unix://${engine.socketPath}` }) });
  const spec = (version: number): ServiceSpecInput => ({
    name: 'bench',
    replicas,
    update: { monitorMs: 0 },
    task: {
      image: IMAGE,
      command: [...PROGRAMS[program]],
      env: { VERSION: String(version) },
      stopGraceMs: GRACE_S * 1_000,
    },
  });
  let version = 0;
  await cluster.services.create(spec(version));
  await cluster.services.waitFor('bench', 'running', { timeout: STEP_MS });
  return {
    name: 'skep',
    update: async () => {
      version += 1;
      const began = performance.now();
      await cluster.services.update('bench', spec(version));
      await cluster.services.waitFor('bench', 'updated', { timeout: STEP_MS });
      return performance.now() - began;
    },
    close: async () => {
      await cluster.services.remove('bench');
      await cluster.services.waitFor('bench', 'removed', { timeout: STEP_MS });
      await cluster.close();
    },
  };
}

/** For each container: the new one is created, the old one stopped, the new one started; then the next. */
export async function bareUpdater(
  engine: PrivateEngine,
  { replicas, program }: UpdateParts,
): Promise<Updater> {
  const agent = new http.Agent({ keepAlive: true });
  const call = caller(engine.socketPath, agent);
  const create = async () => {
    const { Id } = (await call('POST', '/containers/create', {
      Image: IMAGE,
      Entrypoint: PROGRAMS[program],
      StopTimeout: GRACE_S,
      HostConfig: { RestartPolicy: { Name: 'no' } },
    })) as { readonly Id: string };
    return Id;
  };
  let running: string[] = [];
  for (let slot = 0; slot < replicas; slot++) {
    running.push(await create());
    await call('POST', `/containers/${running[slot]}/start`);
  }
  return {
    name: 'bare engine',
    update: async () => {
      const old = running;
      running = [];
      const began = performance.now();
      for (const id of old) {
        const next = await create();
        await call('POST', `/containers/${id}/stop?t=${GRACE_S}`);
        await call('POST', `/containers/${next}/start`);
        running.push(next);
      }
      const took = performance.now() - began;
      for (const id of old) await call('DELETE', `/containers/${id}?v=1`);
      return took;
    },
    close: async () => {
      for (const id of running) await call('DELETE', `/containers/${id}?force=1&v=1`);
      agent.destroy();
    },
  };
}

/** One manager that is its own worker: `service update`, then asked every 20 ms whether it has completed. */
export async function swarmUpdater(
  engine: PrivateEngine,
  { replicas, program }: UpdateParts,
): Promise<Updater> {
  const agent = new http.Agent({ keepAlive: true });
  const call = caller(engine.socketPath, agent);
  await beginSwarm(call);
  const spec = (version: number) => ({
    Name: 'bench',
    TaskTemplate: {
      ContainerSpec: {
        Image: IMAGE,
        Command: PROGRAMS[program],
        Env: [`VERSION=${version}`],
        StopGracePeriod: GRACE_S * 1e9,
      },
    },
    Mode: { Replicated: { Replicas: replicas } },
    // 0 is the default of 5 s: the least that is none.
    UpdateConfig: { Parallelism: 1, Delay: 0, Monitor: 1, Order: 'stop-first' },
  });
  let version = 0;
  const { ID } = (await call('POST', '/services/create', spec(version))) as { readonly ID: string };
  await untilSwarmRuns(call, ID, replicas);
  return {
    name: SWARM,
    update: async () => {
      version += 1;
      const { Version } = (await call('GET', `/services/${ID}`)) as {
        readonly Version: { readonly Index: number };
      };
      const began = performance.now();
      await call('POST', `/services/${ID}/update?version=${Version.Index}`, spec(version));
      await until('the end of an update of Swarm mode', 20, async () => {
        const { UpdateStatus } = (await call('GET', `/services/${ID}`)) as {
          readonly UpdateStatus?: { readonly State: string };
        };
        return UpdateStatus?.State === 'completed';
      });
      await untilSwarmRuns(call, ID, replicas);
      return performance.now() - began;
    },
    close: async () => {
      await call('DELETE', `/services/${ID}`);
      agent.destroy();
    },
  };
}

/** The engine is a swarm of its own, if it is none yet. */
export async function beginSwarm(call: EngineCall): Promise<void> {
  const { Swarm } = (await call('GET', '/info')) as { readonly Swarm: { readonly LocalNodeState: string } };
  if (Swarm.LocalNodeState === 'active') return;
  await call('POST', '/swarm/init', { ListenAddr: '127.0.0.1:0', AdvertiseAddr: '127.0.0.1' });
}

function untilSwarmRuns(call: EngineCall, service: string, replicas: number): Promise<void> {
  const filters = encodeURIComponent(JSON.stringify({ service: [service], 'desired-state': ['running'] }));
  return until(`${replicas} tasks of Swarm mode that run`, 20, async () => {
    const tasks = (await call('GET', `/tasks?filters=${filters}`)) as readonly {
      readonly Status: { readonly State: string };
    }[];
    return tasks.filter(({ Status }) => Status.State === 'running').length === replicas;
  });
}
