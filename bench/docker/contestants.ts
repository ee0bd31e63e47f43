/**
 * Who makes the containers: Skep, the bare engine with the same calls, and the engine's own Swarm mode. Each makes so
 * many of the same container and says when the last one runs.
 */

import http from 'node:http';
import { Cluster } from '@skep/core';
import { DockerDriver } from '@skep/docker-driver';
import type { PrivateEngine } from '@skep/docker-driver/testing';
import { caller, STEP_MS, until, untilBare } from './engine-calls.ts';

/** What each container is: a shell that sleeps, and ends when it is asked to. */
const IMAGE = 'tiny:latest';
const COMMAND = ['/bin/sh', '-c', 'trap "exit 0" TERM; while :; do sleep 1000 & wait; done'];

/** Calls to the engine at a time. */
const AT_A_TIME = 8;

/** One way of making containers. */
export interface Contestant {
  readonly name: string;
  /** Makes so many; resolves with the milliseconds until all ran. */
  create(count: number): Promise<number>;
  /** Removes what was made. Not timed. */
  clear(): Promise<void>;
  close(): Promise<void>;
}

/** A cluster of one node: from the call that creates the service until it is seen that all its tasks run. */
export async function skep(engine: PrivateEngine): Promise<Contestant> {
  const cluster = await Cluster.open({ driver: new DockerDriver({ engine: `unix://${engine.socketPath}` }) });
  return {
    name: 'skep',
    create: async (count) => {
      const began = performance.now();
      await cluster.services.create({
        name: 'bench',
        replicas: count,
        task: { image: IMAGE, command: COMMAND, stopGraceMs: 1_000 },
      });
      await cluster.services.waitFor('bench', 'running', { timeout: STEP_MS });
      return performance.now() - began;
    },
    clear: async () => {
      await cluster.services.remove('bench');
      await untilBare(engine);
    },
    close: () => cluster.close(),
  };
}

/** Create and start, a call each, eight containers at a time, over connections that are kept. */
export function bareEngine(engine: PrivateEngine): Contestant {
  const agent = new http.Agent({ keepAlive: true });
  const call = caller(engine.socketPath, agent);
  const made: string[] = [];
  const one = async () => {
    const { Id } = (await call('POST', '/containers/create', {
      Image: IMAGE,
      Entrypoint: COMMAND,
      Labels: { bench: 'bare' },
      StopTimeout: 1,
      HostConfig: { RestartPolicy: { Name: 'no' } },
    })) as { readonly Id: string };
    made.push(Id);
    await call('POST', `/containers/${Id}/start`);
  };
  return {
    name: 'bare engine',
    create: async (count) => {
      const began = performance.now();
      await inTurns(count, one);
      return performance.now() - began;
    },
    clear: async () => {
      const all = made.splice(0);
      await inTurns(all.length, (index) => call('DELETE', `/containers/${all[index]}?force=1&v=1`));
      await untilBare(engine);
    },
    close: () => {
      agent.destroy();
      return Promise.resolve();
    },
  };
}

/** The engine's Swarm mode, one manager that is its own worker: `service create --detach`, then asked every 20 ms. */
export async function swarm(engine: PrivateEngine): Promise<Contestant> {
  const agent = new http.Agent({ keepAlive: true });
  const call = caller(engine.socketPath, agent);
  await call('POST', '/swarm/init', { ListenAddr: '127.0.0.1:0', AdvertiseAddr: '127.0.0.1' });
  let service = '';
  return {
    name: 'swarm mode',
    create: async (count) => {
      const began = performance.now();
      const { ID } = (await call('POST', '/services/create', {
        Name: 'bench',
        TaskTemplate: {
          ContainerSpec: { Image: IMAGE, Command: COMMAND, StopGracePeriod: 1_000_000_000 },
        },
        Mode: { Replicated: { Replicas: count } },
      })) as { readonly ID: string };
      service = ID;
      const filters = encodeURIComponent(JSON.stringify({ service: [ID], 'desired-state': ['running'] }));
      await until(`${count} tasks of Swarm mode that run`, 20, async () => {
        const tasks = (await call('GET', `/tasks?filters=${filters}`)) as readonly {
          readonly Status: { readonly State: string };
        }[];
        return tasks.filter(({ Status }) => Status.State === 'running').length === count;
      });
      return performance.now() - began;
    },
    clear: async () => {
      await call('DELETE', `/services/${service}`);
      await untilBare(engine);
    },
    close: () => {
      agent.destroy();
      return Promise.resolve();
    },
  };
}

async function inTurns(count: number, work: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: Math.min(AT_A_TIME, count) }, worker));
}
