/**
 * Runs the tasks of a node as containers of a Docker Engine. Between the worker and the engine; it decides nothing,
 * and touches nothing on the engine that does not carry its cluster's and its node's labels.
 */

import type { NodeDescription, SpecIssue, TaskId, TaskSpec } from '@skep/core';
import {
  type DriverContext,
  DriverError,
  type DriverNetworks,
  DriverOperations,
  type RecoveredTask,
  type RuntimeDriver,
  type RuntimeTask,
  type TaskRuntime,
} from '@skep/core/driver';
import { removeMemoryFiles, tasksWithMemoryFiles } from '@skep/core/node';
import { CallLimit } from './call-limit.ts';
import { containersOf, removeContainer } from './container-removal.ts';
import { ContainerRuntime } from './container-runtime.ts';
import { Engine } from './engine.ts';
import { DEFAULT_ENGINE, type EngineAddress, parseEngineAddress } from './engine-address.ts';
import { EngineError, toDriverError } from './engine-error.ts';
import { EngineNetworks } from './engine-networks.ts';
import { EngineWatch } from './engine-watch.ts';
import { ImageFacts } from './image-facts.ts';
import { ImagePuller } from './image-pull.ts';
import { leaseOf, ownFilter, taskOf } from './labels.ts';
import { type EngineInfo, nodeDescription } from './node-description.ts';
import { type OpenEngine, releaseFiles } from './open-engine.ts';
import type { DockerDriverOptions } from './options.ts';
import { refusals } from './refusals.ts';

/** States of a container that runs. */
const RUNNING = new Set(['running', 'paused', 'restarting']);

/**
 * The Docker driver.
 *
 * @example
 * const driver = new DockerDriver({ engine: 'unix:///var/run/docker.sock' });
 */
export class DockerDriver implements RuntimeDriver {
  readonly name = 'docker';
  readonly #options: DockerDriverOptions;
  readonly #address: EngineAddress;
  readonly #operations = new DriverOperations();
  #node: OpenEngine | undefined;
  #isClosed = false;
  #areNetworksTaken = false;

  /** @throws DriverError when the engine's address is none. */
  constructor(options: DockerDriverOptions = {}) {
    this.#options = options;
    this.#address = parseEngineAddress(options.engine ?? DEFAULT_ENGINE, options.tls);
  }

  /** @throws DriverError when no engine answers. */
  async open(context: DriverContext): Promise<readonly RecoveredTask[]> {
    if (this.#isClosed) throw closedError();
    if (this.#node) throw new DriverError('the Docker driver is open already: one driver serves one node');
    const node = this.#parts(context);
    this.#node = node;
    try {
      await node.engine.negotiate();
      await node.watch.open();
      return await this.#recover(node);
    } catch (error) {
      this.#node = undefined;
      node.watch.close();
      node.engine.close();
      const { message } = toDriverError(error, 'open');
      throw new DriverError(`no Docker Engine at ${this.#options.engine ?? DEFAULT_ENGINE}: ${message}`, {
        cause: error,
      });
    }
  }

  describe(): Promise<NodeDescription> {
    return this.#operation(undefined, async (signal) => {
      const { engine, context } = this.#opened();
      const info = await engine.get<EngineInfo>({ what: 'info', signal }, '/info');
      return nodeDescription(info, context.hostname, this.#options);
    });
  }

  check(spec: TaskSpec): readonly SpecIssue[] {
    return refusals(spec, { ...this.#options, isLocal: this.#address.kind === 'unix' });
  }

  runtime(task: RuntimeTask): TaskRuntime {
    if (this.#node === undefined) throw new DriverError('the Docker driver is not open');
    return new ContainerRuntime(this.#node, task);
  }

  discard(id: TaskId, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    return this.#operation(signal, async (own) => {
      const node = this.#opened();
      for (const container of await containersOf(node, id, own)) await removeContainer(node, container, own);
      node.watch.forget(id);
      releaseFiles(node, id);
    });
  }

  takeNetworks(): DriverNetworks {
    this.#areNetworksTaken = true;
    return {
      ensure: (network, { signal }) => this.#operation(signal, (own) => this.#networks.ensure(network, own)),
      remove: (id, { signal }) => this.#operation(signal, (own) => this.#networks.remove(id, own)),
      list: ({ signal }) => this.#operation(signal, (own) => this.#networks.list(own)),
    };
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#operations.abort(closedError());
    const node = this.#node;
    if (node === undefined) return;
    node.watch.close();
    if (this.#options.removeOnClose ?? node.context.stateDir === undefined)
      await removeEnded(node).catch(() => {});
    node.engine.close();
  }

  #parts(context: DriverContext): OpenEngine {
    const engine = new Engine(this.#address, context.clock);
    const images = new ImageFacts(engine);
    const files = new Map<TaskId, string>();
    return {
      context,
      options: this.#options,
      isLocal: this.#address.kind === 'unix',
      engine,
      limit: this.#options.callLimit ?? new CallLimit(),
      watch: new EngineWatch({
        engine,
        context,
        onEnded: (id) => releaseFiles({ files }, id),
        onImages: () => images.forget(),
      }),
      images,
      puller: new ImagePuller(engine, context, this.#options),
      networks: new EngineNetworks(engine, context),
      areNetworksTaken: () => this.#areNetworksTaken,
      files,
      operation: (signal, work) => this.#operation(signal, work),
    };
  }

  async #recover(node: OpenEngine): Promise<readonly RecoveredTask[]> {
    const { context, files } = node;
    const listed = await listOwn(node);
    const recovered = new Map<TaskId, RecoveredTask>();
    const needed = new Set<TaskId>();
    for (const { Labels, State } of listed) {
      const id = taskOf(Labels, context);
      if (id === undefined) continue;
      const running = RUNNING.has(State);
      recovered.set(id, {
        id,
        running: running || recovered.get(id)?.running === true,
        ...leaseOf(Labels),
      });
      if (running || State === 'created') needed.add(id);
    }
    if (this.#address.kind === 'unix') {
      for (const { id, dir } of tasksWithMemoryFiles(context, this.#options.memoryDir)) {
        if (needed.has(id)) files.set(id, dir);
        else removeMemoryFiles(dir);
      }
    }
    return [...recovered.values()];
  }

  get #networks(): EngineNetworks {
    return this.#opened().networks;
  }

  #opened(): OpenEngine {
    if (this.#isClosed) throw closedError();
    if (this.#node === undefined) throw new DriverError('the Docker driver is not open');
    return this.#node;
  }

  async #operation<T>(
    signal: AbortSignal | undefined,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    this.#opened();
    try {
      return await this.#operations.run(signal, work);
    } catch (error) {
      throw error instanceof EngineError ? toDriverError(error, 'the engine') : error;
    }
  }
}

/** Removes the containers of this node that do not run. */
async function removeEnded(node: OpenEngine): Promise<void> {
  const { signal } = new AbortController();
  const ended = (await listOwn(node)).filter(({ State }) => !RUNNING.has(State));
  await Promise.all(ended.map(({ Id }) => removeContainer(node, Id, signal)));
}

/** Every container of this node. */
function listOwn({ engine, context }: Pick<OpenEngine, 'engine' | 'context'>) {
  return engine.call({ what: 'list' }, (docker, abortSignal) =>
    docker.listContainers({ all: true, filters: ownFilter(context), abortSignal }),
  );
}

function closedError(): DriverError {
  return new DriverError('the Docker driver is closed', { temporary: true });
}
