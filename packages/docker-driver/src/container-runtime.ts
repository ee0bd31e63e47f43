/**
 * One task as a container, as the port wants it. What is known of the container is a short cut only: the engine has
 * the truth, found by the container's name and labels, so that any driver of the node can go on with the task.
 *
 * It never starts a container that has run, and never gives up knowing whether a call that it made has made something.
 */

import type { RuntimeStatus } from '@skep/core';
import {
  DriverError,
  type ExecOptions,
  type ExecOutput,
  type ExecResult,
  type LogChunk,
  type LogOptions,
  type RuntimeTask,
  type TaskExit,
  type TaskRuntime,
  type TaskStats,
} from '@skep/core/driver';
import type { ContainerInspectInfo } from 'dockerode';
import { execInContainer } from './container-exec.ts';
import { readTaskLogs } from './container-logs.ts';
import { makeContainer } from './container-making.ts';
import { containersOf, removeContainer, stopContainer } from './container-removal.ts';
import { graceSeconds } from './container-spec.ts';
import { exitOf, hasBegun, isRunning, statusOf, unhealthyWords } from './container-state.ts';
import { type EngineStats, taskStats } from './container-stats.ts';
import { hasStatus, isSilence } from './engine-error.ts';
import { interactInContainer } from './exec-interactive.ts';
import { taskOf } from './labels.ts';
import { type OpenEngine, releaseFiles } from './open-engine.ts';
import { Patience } from './patience.ts';

/** A start that follows its creation within this time goes on in the same turn. */
const HANDOVER_MS = 100;

type Signal = { readonly signal: AbortSignal };

/** The handle of one task. */
export class ContainerRuntime implements TaskRuntime {
  readonly #node: OpenEngine;
  readonly #task: RuntimeTask;
  readonly #patience: Patience;
  /** The container's id, once known. */
  #container: string | undefined;
  /** Made by this handle and never started. */
  #isFresh = false;
  #isStopped = false;
  /** Takes over the turn with the engine that the container was made in. */
  #turn: (() => () => void) | undefined;
  #making: Promise<void> | undefined;
  #starting: Promise<RuntimeStatus> | undefined;

  constructor(node: OpenEngine, task: RuntimeTask) {
    this.#node = node;
    this.#task = task;
    this.#patience = new Patience(node.context.clock, node.options);
  }

  prepare({ signal }: Signal): Promise<void> {
    return this.#step('prepare', signal, (own) => {
      this.#making ??= this.#make(own).finally(() => {
        this.#making = undefined;
      });
      return this.#making;
    });
  }

  start({ signal }: Signal): Promise<RuntimeStatus> {
    return this.#step('start', signal, async (own) => {
      await this.#making?.catch(() => {});
      own.throwIfAborted();
      if (this.#isStopped) throw new DriverError(`task ${this.#task.id} was stopped before it was started`);
      this.#starting ??= this.#start(own).finally(() => {
        this.#starting = undefined;
      });
      return this.#starting;
    });
  }

  wait({ signal }: Signal): Promise<TaskExit> {
    return this.#node.operation(signal, (own) => this.#untilEnded(own));
  }

  stop({ graceMs, signal }: Signal & { readonly graceMs: number }): Promise<void> {
    return this.#node.operation(signal, async (own) => {
      this.#isStopped = true;
      await this.#settled(own);
      const container = this.#container ?? (await this.#inspect(own))?.Id;
      if (container === undefined || this.#isFresh) return;
      await stopContainer(this.#node.engine, container, own, graceSeconds(graceMs));
    });
  }

  remove({ signal }: Signal): Promise<void> {
    return this.#node.operation(signal, async (own) => {
      this.#isStopped = true;
      await this.#settled(own);
      const known = this.#container;
      const containers = known === undefined ? await containersOf(this.#node, this.#task.id, own) : [known];
      for (const container of containers) await removeContainer(this.#node, container, own);
      this.#container = undefined;
      this.#node.watch.forget(this.#task.id);
      releaseFiles(this.#node, this.#task.id);
    });
  }

  logs(options: LogOptions): AsyncIterable<LogChunk> {
    return readTaskLogs(this.#node, this.#task, options, (signal) => this.#existing(signal));
  }

  exec(command: readonly string[], { signal }: Signal): Promise<ExecResult> {
    return this.#node.operation(signal, async (own) =>
      execInContainer(this.#node.engine, this.#node.context.clock, await this.#existing(own), command, own),
    );
  }

  execInteractive(command: readonly string[], options: ExecOptions): AsyncIterable<ExecOutput> {
    return interactInContainer(this.#node, (signal) => this.#existing(signal), command, options);
  }

  stats({ signal }: Signal): Promise<TaskStats> {
    return this.#node.operation(signal, async (own) => {
      const container = await this.#existing(own);
      const path = `/containers/${container}/stats`;
      const stats = await this.#node.engine.get<EngineStats>({ what: 'stats', signal: own }, path, {
        stream: false,
      });
      // Of a container that does not run the engine tells nothing but zeros, read in year 1.
      if (stats.read === undefined || stats.read.startsWith('0001'))
        throw new DriverError(`task ${this.#task.id} does not run`);
      return taskStats(stats, this.#node.context.clock.now());
    });
  }

  watchHealth({ onHealthy, signal }: Signal & { readonly onHealthy: () => void }): Promise<string> {
    return this.#node.operation(signal, async (own) => {
      const { image = '' } = this.#task.spec;
      if (await this.#node.images.hasHealthCheck(image)) return this.#untilUnhealthy(onHealthy, own);
      onHealthy();
      return new Promise<never>((_, reject) => {
        own.addEventListener('abort', () => reject(own.reason), { once: true });
      });
    });
  }

  /** One step that makes something: what it meets is judged with the patience that the task has left. */
  #step<T>(what: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return this.#node.operation(signal, async (own) => {
      try {
        const done = await unlessAborted(work(own), own);
        this.#patience.reset();
        return done;
      } catch (error) {
        if (own.aborted) throw error;
        throw this.#patience.judge(error, what);
      }
    });
  }

  async #make(signal: AbortSignal): Promise<void> {
    if (this.#container !== undefined) return;
    const { id, isFresh, giveBack } = await makeContainer(this.#node, this.#task, signal);
    this.#container = id;
    this.#isFresh = isFresh;
    const cancel = this.#node.context.clock.setTimer(HANDOVER_MS, giveBack);
    this.#turn = () => {
      cancel();
      return giveBack;
    };
  }

  async #start(signal: AbortSignal): Promise<RuntimeStatus> {
    if (!this.#isFresh || this.#container === undefined) {
      const found = await this.#inspect(signal);
      if (found === undefined) throw this.#gone();
      this.#container = found.Id;
      if (hasBegun(found)) return statusOf(found, this.#task);
    }
    const { engine, limit, watch } = this.#node;
    const container = this.#container;
    // From here on nobody knows whether it has run, until the engine has answered.
    this.#isFresh = false;
    watch.expect(this.#task.id);
    const turn = this.#turn?.();
    this.#turn = undefined;
    try {
      // Where the turn of its creation has been given back in the meantime, this is one more call, and no harm.
      const giveBack = turn ?? (await limit.take(signal));
      await engine
        .call({ what: 'start' }, (docker) => docker.getContainer(container).start())
        .finally(giveBack);
    } catch (error) {
      watch.unexpect(this.#task.id);
      if (hasStatus(error, 404) && /no such container/i.test(error.message)) throw this.#gone();
      if (!hasStatus(error, 304)) throw error;
    }
    if (this.#task.ports.length === 0) return { id: container, ports: [] };
    const started = await this.#inspect(signal);
    if (started === undefined) throw this.#gone();
    return statusOf(started, this.#task);
  }

  /** What is under way comes to its end, since the engine ends it too, whoever waits. */
  async #settled(signal: AbortSignal): Promise<void> {
    const underWay = [this.#making, this.#starting].filter((work) => work !== undefined);
    await unlessAborted(Promise.allSettled(underWay), signal);
  }

  async #untilEnded(signal: AbortSignal): Promise<TaskExit> {
    const { watch } = this.#node;
    const { id } = this.#task;
    for (;;) {
      const news = watch.news(id, signal);
      try {
        if (!watch.isRunning(id)) {
          watch.expect(id);
          const found = await this.#inspect(signal);
          if (found === undefined) throw this.#gone();
          if (!isRunning(found)) {
            watch.unexpect(id);
            if (!hasBegun(found)) throw new DriverError(`task ${id} was not started`);
            return exitOf(found, watch.ranOutOfMemory(id));
          }
        }
        await news.arrived;
      } catch (error) {
        if (!isSilence(error)) throw error;
        await watch.connected(signal);
      } finally {
        news.cancel();
      }
    }
  }

  async #untilUnhealthy(onHealthy: () => void, signal: AbortSignal): Promise<string> {
    const { watch } = this.#node;
    let wasHealthy = false;
    for (;;) {
      const news = watch.news(this.#task.id, signal);
      try {
        const found = await this.#inspect(signal);
        const health = found?.State.Health?.Status;
        if (found !== undefined && health === 'unhealthy') return unhealthyWords(found);
        if (health === 'healthy' && !wasHealthy) {
          wasHealthy = true;
          onHealthy();
        }
        await news.arrived;
      } catch (error) {
        if (!isSilence(error)) throw error;
        await watch.connected(signal);
      } finally {
        news.cancel();
      }
    }
  }

  /** The container by id, else by name; undefined when there is none of this task. */
  async #inspect(signal: AbortSignal): Promise<ContainerInspectInfo | undefined> {
    const { engine, context } = this.#node;
    try {
      const found = await engine.call({ what: 'inspect', signal }, (docker, abortSignal) =>
        docker.getContainer(this.#container ?? this.#task.name).inspect({ abortSignal }),
      );
      return taskOf(found.Config.Labels, context) === this.#task.id ? found : undefined;
    } catch (error) {
      if (hasStatus(error, 404)) return undefined;
      throw error;
    }
  }

  async #existing(signal: AbortSignal): Promise<string> {
    const container = this.#container ?? (await this.#inspect(signal))?.Id;
    if (container === undefined) throw this.#gone();
    return container;
  }

  #gone(): DriverError {
    const { id } = this.#task;
    return new DriverError(
      this.#container === undefined
        ? `task ${id} has no container on this node`
        : `container ${this.#container.slice(0, 12)} of task ${id} is gone: it was removed behind Skep's back`,
    );
  }
}

/** Waits, at most until the signal aborts; what is waited for goes on. @throws the signal's reason on abort. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    const done = () => signal.removeEventListener('abort', onAbort);
    work.then(resolve, reject).finally(done);
  });
}
