/**
 * Who brings a task that was killed back: Skep with a restart delay of 0, the bare engine with `--restart always`, and
 * Swarm mode with a delay of 0. Timed from the end of the process until the next one is seen to run; a container is new
 * each time, since the engine waits longer for one that has not run for ten seconds.
 */

import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import http from 'node:http';
import { Cluster } from '@skep/core';
import { DockerDriver } from '@skep/docker-driver';
import type { PrivateEngine } from '@skep/docker-driver/testing';
import { caller, STEP_MS, until, untilBare } from '../docker/engine-calls.ts';
import { beginSwarm, PROGRAMS, SWARM } from './contestants.ts';

const IMAGE = 'tiny:latest';
const COMMAND = PROGRAMS['ends at SIGTERM'];
const GRACE_MS = 1_000;

/** One way of bringing it back. */
export interface Restarter {
  readonly name: string;
  /** Makes a task, ends it, and resolves with the milliseconds until it ran again. */
  restart(): Promise<number>;
  close(): Promise<void>;
}

/** A cluster of one node, on an engine that it shares with nobody meanwhile. */
export async function skepRestarter(engine: PrivateEngine): Promise<Restarter> {
  const cluster = await Cluster.open({ driver: new DockerDriver({ engine: `unix://${engine.socketPath}` }) });
  return {
    name: 'skep',
    restart: async () => {
      const restart = { condition: 'any', delayMs: 0 } as const;
      const mark = newMark();
      const [name = '', value = ''] = mark.split('=');
      const env = { [name]: value };
      const task = { image: IMAGE, command: [...COMMAND], env, stopGraceMs: GRACE_MS, restart };
      await cluster.services.create({ name: 'bench', task });
      await cluster.services.waitFor('bench', 'running', { timeout: STEP_MS });
      const old = processWith(mark);
      const [first] = cluster.tasks.list({ service: 'bench' });
      const runsAgain = () =>
        cluster.tasks
          .list({ service: 'bench' })
          .some(({ id, status }) => id !== first?.id && status.state === 'running');
      const began = performance.now();
      killProcess(old);
      await until('a task of Skep that runs again', 1, () => Promise.resolve(runsAgain()));
      const took = performance.now() - began;
      await cluster.services.remove('bench');
      await untilBare(engine);
      return took;
    },
    close: () => cluster.close(),
  };
}

/** `--restart always`: until the engine tells that the container has started. */
export function bareRestarter(engine: PrivateEngine): Restarter {
  const agent = new http.Agent({ keepAlive: true });
  const call = caller(engine.socketPath, agent);
  return {
    name: 'bare engine',
    restart: async () => {
      const mark = newMark();
      const { Id } = (await call('POST', '/containers/create', {
        Image: IMAGE,
        Entrypoint: COMMAND,
        Env: [mark],
        HostConfig: { RestartPolicy: { Name: 'always' } },
      })) as { readonly Id: string };
      await call('POST', `/containers/${Id}/start`);
      const pid = processWith(mark);
      const started = await nextStart(engine.socketPath, Id);
      const began = performance.now();
      killProcess(pid);
      await started.seen;
      const took = performance.now() - began;
      await call('DELETE', `/containers/${Id}?force=1&v=1`);
      await untilBare(engine);
      return took;
    },
    close: () => {
      agent.destroy();
      return Promise.resolve();
    },
  };
}

/** One manager that is its own worker, asked every 5 ms. */
export async function swarmRestarter(engine: PrivateEngine): Promise<Restarter> {
  const agent = new http.Agent({ keepAlive: true });
  const call = caller(engine.socketPath, agent);
  await beginSwarm(call);
  const running = async (service: string): Promise<readonly string[]> => {
    const filters = encodeURIComponent(JSON.stringify({ service: [service], 'desired-state': ['running'] }));
    const tasks = (await call('GET', `/tasks?filters=${filters}`)) as readonly {
      readonly ID: string;
      readonly Status: { readonly State: string };
    }[];
    return tasks.filter(({ Status }) => Status.State === 'running').map(({ ID }) => ID);
  };
  return {
    name: SWARM,
    restart: async () => {
      const mark = newMark();
      const { ID } = (await call('POST', '/services/create', {
        Name: 'bench-restart',
        TaskTemplate: {
          ContainerSpec: { Image: IMAGE, Command: COMMAND, Env: [mark], StopGracePeriod: GRACE_MS * 1e6 },
          RestartPolicy: { Condition: 'any', Delay: 0 },
        },
        Mode: { Replicated: { Replicas: 1 } },
      })) as { readonly ID: string };
      let first: readonly string[] = [];
      await until('a task of Swarm mode that runs', 20, async () => {
        first = await running(ID);
        return first.length > 0;
      });
      const old = processWith(mark);
      const began = performance.now();
      killProcess(old);
      await until('a task of Swarm mode that runs again', 5, async () => {
        const [now] = await running(ID);
        return now !== undefined && now !== first[0];
      });
      const took = performance.now() - began;
      await call('DELETE', `/services/${ID}`);
      await untilBare(engine);
      return took;
    },
    close: () => {
      agent.destroy();
      return Promise.resolve();
    },
  };
}

/** Something that only one task has in its environment. */
function newMark(): string {
  return `BENCH_MARK=${randomUUID()}`;
}

/** The first process of the container that has the mark, by the number that it has here: engines count for themselves. */
function processWith(mark: string): number {
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry) || !readOf(entry, 'environ').split('\0').includes(mark)) continue;
    if (/^NSpid:.*\s1$/m.test(readOf(entry, 'status'))) return Number(entry);
  }
  throw new Error(`no process has ${mark}`);
}

function readOf(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}

/** Not through the engine, which takes any signal that it is asked to send for a wish to stop the container. */
function killProcess(pid: number): void {
  process.kill(pid, 'SIGKILL');
}

/** Follows the engine's events from now on: resolves once they are followed, and `seen` when the container starts. */
async function nextStart(socketPath: string, id: string): Promise<{ readonly seen: Promise<void> }> {
  const filters = encodeURIComponent(JSON.stringify({ container: [id], event: ['start'] }));
  return new Promise((resolve, reject) => {
    const request = http.get({ socketPath, path: `/events?filters=${filters}`, agent: false }, (response) => {
      const seen = new Promise<void>((found) => {
        response.once('data', () => {
          found();
          request.destroy();
        });
      });
      response.on('error', () => {});
      resolve({ seen });
    });
    request.on('error', reject);
  });
}
