/**
 * A cluster cut down to what tests of the worker's side need: a built state, a dispatcher over it, and agents on
 * simulated hosts, all under one virtual clock. The test plays the managers' other loops by writing events.
 */

import type { RuntimeDriver } from '../../../driver/runtime-driver.ts';
import { asId, type ClusterId, type NodeId, type TaskId } from '../../../model/ids.ts';
import type { Task } from '../../../model/objects.ts';
import type { DesiredState, TaskState } from '../../../model/task-state.ts';
import { silentLogger } from '../../../runtime/logger.ts';
import { seededRandom } from '../../../runtime/random.ts';
import { SimulatedClock } from '../../../testing/simulated-clock.ts';
import { SimulatedDriver } from '../../../testing/simulated-driver.ts';
import { SimulatedHost, type SimulatedHostOptions } from '../../../testing/simulated-host.ts';
import type { StateBuilder } from '../../../testing/state-builder.ts';
import { Agent, type AgentOptions } from '../../../worker/agent.ts';
import type { DispatcherPort } from '../../../worker/dispatcher-port.ts';
import { Dispatcher } from '../dispatcher.ts';
import { MemoryStore } from './memory-store.ts';

/** A built cluster with a dispatcher that serves. */
export class Workshop {
  readonly clock = new SimulatedClock();
  readonly store: MemoryStore;
  readonly host: SimulatedHost;
  /** Observed states that each task was committed in, in order, without repetition. */
  readonly history = new Map<string, TaskState[]>();
  dispatcher: Dispatcher;

  constructor(built: StateBuilder, host: Omit<SimulatedHostOptions, 'clock'> = {}) {
    this.store = new MemoryStore(built.state, this.clock);
    this.host = new SimulatedHost({ clock: this.clock, ...host });
    this.store.onCommitted(({ changes }) => {
      for (const { kind, after } of changes) if (kind === 'task' && after) this.#remember(after);
    });
    this.dispatcher = this.lead();
  }

  /** A new leadership: the old dispatcher's sessions end, and another begins. */
  lead(): Dispatcher {
    this.dispatcher?.close();
    this.dispatcher = new Dispatcher({
      store: this.store,
      clock: this.clock,
      random: seededRandom(1),
      logger: silentLogger,
    });
    this.dispatcher.start();
    return this.dispatcher;
  }

  /** The dispatcher as agents reach it: whichever leads just now. */
  get port(): DispatcherPort {
    return {
      openSession: (request, signal) => this.dispatcher.openSession(request, signal),
      heartbeat: (node, session) => this.dispatcher.heartbeat(node, session),
      reportStatus: (node, session, reports) => this.dispatcher.reportStatus(node, session, reports),
      confirmEndpoints: (node, session, index) => this.dispatcher.confirmEndpoints(node, session, index),
      leave: (node, session) => this.dispatcher.leave(node, session),
      closeSession: (node, session) => this.dispatcher.closeSession(node, session),
    };
  }

  /** An agent of this node that is not started yet. */
  agent(node = 'node-1', options: Partial<AgentOptions> & { readonly driver?: RuntimeDriver } = {}): Agent {
    return new Agent({
      clusterId: asId<ClusterId>('cluster'),
      nodeId: asId<NodeId>(node),
      hostname: node,
      address: '127.0.0.1',
      driver: new SimulatedDriver({ host: this.host }),
      dispatcher: this.port,
      clock: this.clock,
      random: seededRandom(2),
      ...options,
    });
  }

  /** A started agent whose session stands. */
  async connect(node = 'node-1', options: Partial<AgentOptions> = {}): Promise<Agent> {
    const agent = this.agent(node, options);
    await agent.start();
    await this.clock.runUntil(() => agent.state === 'connected');
    await this.clock.settle();
    return agent;
  }

  task(id: string): Task | undefined {
    return this.store.committed.task(asId<TaskId>(id));
  }

  /** The committed state that a task is observed in. */
  stateOf(id: string): TaskState | undefined {
    return this.task(id)?.status.state;
  }

  nodeState(id = 'node-1'): string | undefined {
    return this.store.committed.node(asId<NodeId>(id))?.status.state;
  }

  /** Lets time pass until the task is committed in this state. */
  until(id: string, state: TaskState): Promise<void> {
    return this.clock.runUntil(() => this.stateOf(id) === state);
  }

  /** Changes what is desired of a task. */
  desire(id: string, state: DesiredState): void {
    void this.store.write({ type: 'task.desired', state, ids: [asId<TaskId>(id)] });
  }

  /** The reaper takes the task. */
  reap(id: string): void {
    void this.store.write({ type: 'task.removed', ids: [asId<TaskId>(id)] });
  }

  #remember(task: Task): void {
    const states = this.history.get(task.id) ?? [];
    if (states.at(-1) !== task.status.state) states.push(task.status.state);
    this.history.set(task.id, states);
  }
}
