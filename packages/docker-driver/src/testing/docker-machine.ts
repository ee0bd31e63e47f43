/**
 * A real engine as the conformance suite's machine: tasks as small shell scripts in containers, and eyes on the
 * engine that are not the driver's.
 */

import { randomInt, randomUUID } from 'node:crypto';
import { createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { DriverContext, RuntimeTask } from '@skep/core/driver';
import type { DriverMachine, TaskKind } from '@skep/core/driver/conformance';
import {
  newId,
  seededRandom,
  silentLogger,
  systemClock,
  type TaskSpecInput,
  taskSpecSchema,
} from '@skep/core/testing';
import { DockerDriver } from '../docker-driver.ts';
import type { DockerDriverOptions } from '../options.ts';
import type { PrivateEngine } from './private-engine.ts';

/** A container as the engine lists it. */
export interface ListedContainer {
  readonly Id: string;
  readonly Names: readonly string[];
  readonly State: string;
  readonly Labels: Readonly<Record<string, string>>;
}

const RUNS = 'trap "exit 0" TERM; while :; do sleep 0.05; done';
const IGNORES = 'trap "" TERM; echo ignoring; while :; do sleep 1; done';
// Blocks on a named pipe that the test writes to.
const EXITS_WHEN_TOLD =
  'trap "exit 143" TERM; printf %s "$OUT"; printf %s "$ERR" >&2; busybox mkfifo /tmp/pipe; read -r code < /tmp/pipe; exit "$code"';

/** The spec of a task that runs a script of the tiny image's shell. */
export function scriptSpec(script: string, change: TaskSpecInput = {}): TaskSpecInput {
  return { image: 'tiny:latest', command: ['/bin/sh', '-c', script], ...change };
}

/** One cluster's and node's place on an engine. */
export class DockerMachine implements DriverMachine {
  readonly context: DriverContext;
  readonly #engine: PrivateEngine;
  readonly #options: DockerDriverOptions;
  readonly #unknownImage: string;
  readonly #drivers: DockerDriver[] = [];
  readonly #codes = new Map<string, number>();

  /** @param unknownImage A reference whose registry answers that there is no such image. */
  constructor(engine: PrivateEngine, unknownImage: string, options: DockerDriverOptions = {}) {
    this.#engine = engine;
    this.#unknownImage = unknownImage;
    this.#options = { engine: `unix://${engine.socketPath}`, ...options };
    this.context = {
      clusterId: `cluster-${randomUUID()}` as DriverContext['clusterId'],
      nodeId: `node-${randomUUID()}` as DriverContext['nodeId'],
      hostname: 'testhost',
      clock: systemClock,
      logger: silentLogger,
    };
  }

  createDriver(options: DockerDriverOptions = {}): DockerDriver {
    const driver = new DockerDriver({ ...this.#options, ...options });
    this.#drivers.push(driver);
    return driver;
  }

  /** A driver, opened. */
  async openDriver(options: DockerDriverOptions = {}): Promise<DockerDriver> {
    const driver = this.createDriver(options);
    await driver.open(this.context);
    return driver;
  }

  /** A task of this spec. */
  task(spec: TaskSpecInput, change: Partial<RuntimeTask> = {}): RuntimeTask {
    const id = newId<RuntimeTask['id']>(seededRandom(randomInt(2 ** 32)));
    return {
      id,
      serviceId: 'service' as RuntimeTask['serviceId'],
      serviceName: 'web',
      name: `web.1.${id}`,
      slot: 1,
      spec: taskSpecSchema.parse(spec),
      ports: [],
      assignedGeneric: {},
      files: [],
      ...change,
    };
  }

  abandon(): Promise<void> {
    return Promise.resolve();
  }

  spec(kind: TaskKind): TaskSpecInput {
    switch (kind.kind) {
      case 'runs':
        return scriptSpec(RUNS);
      case 'ignores-stop':
        return scriptSpec(IGNORES);
      case 'exits':
        return scriptSpec(`exit ${kind.code}`);
      case 'exits-when-told': {
        const mark = randomUUID();
        this.#codes.set(mark, kind.code);
        const text = (lines: readonly string[] = []) => lines.map((line) => `${line}\n`).join('');
        return scriptSpec(EXITS_WHEN_TOLD, {
          env: { MARK: mark, OUT: text(kind.stdout), ERR: text(kind.stderr) },
        });
      }
      case 'unknown-image':
        return { image: this.#unknownImage };
      case 'bad-command':
        return { image: 'tiny:latest', command: ['/no/such/program'] };
    }
  }

  async tell(task: RuntimeTask): Promise<void> {
    const code = this.#codes.get(task.spec.env['MARK'] ?? '');
    const script = `while [ ! -p /tmp/pipe ]; do sleep 0.02; done; echo ${code} > /tmp/pipe`;
    for (const { Id } of await this.containersOf(task)) {
      const exec = await this.#engine.request<{ Id: string }>('POST', `/containers/${Id}/exec`, {
        Cmd: ['/bin/sh', '-c', script],
      });
      await this.#engine.request('POST', `/exec/${exec.Id}/start`, { Detach: true });
    }
    await this.#untilNoneIsAlive(task);
  }

  async kill(task: RuntimeTask): Promise<void> {
    for (const { Id } of await this.containersOf(task)) {
      await this.#engine.request('POST', `/containers/${Id}/kill?signal=SIGKILL`);
    }
    await this.#untilNoneIsAlive(task);
  }

  async alive(task: RuntimeTask): Promise<number> {
    return (await this.containersOf(task)).filter(({ State }) => State === 'running').length;
  }

  /** Every container of this task on the engine. */
  containersOf(task: RuntimeTask): Promise<readonly ListedContainer[]> {
    return this.#list(`skep.task.id=${task.id}`);
  }

  /** Every container of this cluster on the engine. */
  containers(): Promise<readonly ListedContainer[]> {
    return this.#list(`skep.cluster.id=${this.context.clusterId}`);
  }

  async leftovers(): Promise<readonly string[]> {
    return (await this.containers()).map(({ Id, State }) => `container ${Id.slice(0, 12)}: ${State}`);
  }

  freePort(): Promise<number> {
    return new Promise((resolve, reject) => {
      const server = createServer().listen(0, '127.0.0.1', () => {
        const address = server.address();
        server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
      });
      server.on('error', reject);
    });
  }

  async dispose(): Promise<void> {
    for (const driver of this.#drivers) await driver.close();
    const left = await this.containers();
    await Promise.all(
      left.map(({ Id }) => this.#engine.request('DELETE', `/containers/${Id}?force=1&v=1`).catch(() => {})),
    );
  }

  #list(label: string): Promise<readonly ListedContainer[]> {
    const filters = encodeURIComponent(JSON.stringify({ label: [label] }));
    return this.#engine.request('GET', `/containers/json?all=1&filters=${filters}`);
  }

  async #untilNoneIsAlive(task: RuntimeTask): Promise<void> {
    while ((await this.alive(task)) > 0) await pause(5);
  }
}
