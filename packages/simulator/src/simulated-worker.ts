/**
 * One worker: a machine whose tasks run on when the agent dies, and the agent's process, if one runs. Taken out of the
 * cluster, it joins as a new node when it is started again.
 */

import {
  type Clock,
  type Cluster,
  type NodeDescription,
  type NodeId,
  type Random,
  seededRandom,
} from '@skep/core';
import { Agent, type ProbeNetwork, sleep } from '@skep/core/member';
import { type SimulatedBehaviour, SimulatedDriver, SimulatedHost } from '@skep/core/testing';
import { hashText } from '@skep/raft/simulator';
import { ASK_AGAIN_MS, isOpen } from './ask-again.ts';
import { type Calls, Endpoint } from './calls.ts';
import type { Gate } from './gate.ts';
import { AgentRoute, type DispatcherWrapper, type ManagerDoor } from './routes.ts';
import type { SimulatedDataPlane } from './simulated-data-plane.ts';
import type { World } from './world.ts';

/** A worker as a test asks for it. */
export interface WorkerOptions {
  /** Default `worker-1`, `worker-2`… */
  readonly name?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Default 8. */
  readonly cpus?: number;
  /** Default 16 GiB. */
  readonly memoryBytes?: number;
  /** Makes what passes traffic on there by the endpoint feed. Default: nothing does. */
  readonly dataPlane?: (clock: Clock, random: Random) => SimulatedDataPlane;
}

/** What workers share. */
export interface WorkerParts {
  readonly world: World;
  readonly calls: Calls;
  readonly managers: () => readonly ManagerDoor[];
  readonly images: Readonly<Record<string, SimulatedBehaviour>>;
  readonly wrap: DispatcherWrapper;
}

const GIB = 1024 ** 3;

/** A worker. */
export class SimulatedWorker {
  readonly name: string;
  readonly address: string;
  readonly host: SimulatedHost;
  readonly #options: WorkerOptions;
  readonly #dataPlane: SimulatedDataPlane | undefined;
  readonly #parts: WorkerParts;
  readonly #number: number;
  readonly #gate: Gate;
  #life = 0;
  #nodeId: NodeId | undefined;
  #endpoint: Endpoint | undefined;
  #agent: Agent | undefined;
  /** How often it was asked to join. */
  #joins = 0;
  #driver: SimulatedDriver | undefined;

  /** @param number - from 1, for its address. */
  constructor(name: string, number: number, options: WorkerOptions, parts: WorkerParts) {
    const { world, images } = parts;
    this.name = name;
    this.address = `10.0.${number >> 8}.${number & 255}`;
    this.#number = number;
    this.#options = options;
    this.#parts = parts;
    this.#gate = world.gates.of(name);
    const random = seededRandom(hashText(`host of ${name}`, world.seed));
    const { clock } = world;
    this.host = new SimulatedHost({ clock, random, images });
    const planeRandom = seededRandom(hashText(`data plane of ${name}`, world.seed));
    this.#dataPlane = options.dataPlane?.(clock, planeRandom);
  }

  get isUp(): boolean {
    return this.#agent !== undefined;
  }

  /** Whether its agent stands still. */
  get isPaused(): boolean {
    return this.#gate.isShut;
  }

  /** The node that it is, or was last. Undefined before it has joined. */
  get nodeId(): NodeId | undefined {
    return this.#nodeId;
  }

  /** The agent of the present process, while there is one. */
  get agent(): Agent | undefined {
    return this.#agent;
  }

  /**
   * Makes the machine a node, unless it is one.
   *
   * @param clusterOf - any manager that runs: the one that is asked may die before it answers.
   */
  async join(clusterOf: () => Cluster): Promise<void> {
    const { labels = {} } = this.#options;
    this.#joins += 1;
    const commandId = `${this.name} joins ${this.#joins}`;
    for (;;) {
      try {
        const cluster = clusterOf();
        const id = this.#nodeId;
        if (id !== undefined && cluster.nodes.list().some((node) => node.id === id)) return;
        this.#nodeId = await cluster.nodes.join(
          { hostname: this.name, address: this.address, driver: 'simulated', labels },
          { commandId },
        );
        return;
      } catch (error) {
        if (!isOpen(error)) throw error;
        await sleep(this.#parts.world.clock, ASK_AGAIN_MS);
      }
    }
  }

  /** Begins a process for the agent. It takes up what the one before left running. */
  start(cluster: Cluster): void {
    const nodeId = this.#nodeId;
    if (this.isUp || nodeId === undefined) return;
    const { world, calls, managers, wrap } = this.#parts;
    const life = ++this.#life;
    const endpoint = new Endpoint(this.name);
    const dispatcher = new AgentRoute({
      calls,
      managers,
      from: endpoint,
      firstAsked: this.#number + life,
      wrap: (port) => wrap(port, this.name),
    });
    this.#endpoint = endpoint;
    this.#driver = new SimulatedDriver({ host: this.host, description: this.#description() });
    const agent = new Agent({
      clusterId: cluster.info.id,
      nodeId,
      hostname: this.name,
      address: this.address,
      driver: behindGate(this.#driver, this.#gate),
      dispatcher,
      clock: this.#gate,
      random: seededRandom(hashText(`${this.name} ${life}`, world.seed)),
      logger: world.loggerOf(this.name),
      probeNetwork: probesOf(this.host),
      ...(this.#dataPlane ? { dataPlane: this.#dataPlane } : {}),
    });
    this.#agent = agent;
    agent.start().catch(() => {
      // A process that dies while it opens its driver has nobody left to tell.
    });
  }

  /** The agent's process dies; tasks run on. With `machine`, all that ran on it ends, too. */
  crash(options: { readonly machine?: boolean } = {}): void {
    this.#endpoint?.die();
    this.#endpoint = undefined;
    // A dead process asks nothing of the runtime any more.
    void this.#driver?.close();
    void this.#agent?.close();
    this.#agent = undefined;
    if (options.machine) {
      this.host.reboot();
      this.#dataPlane?.clear();
    }
    this.resume();
  }

  /** The agent stands still until {@link resume}; what runs on its machine runs on. */
  pause(): void {
    if (this.isUp) this.#gate.shut();
  }

  resume(): void {
    this.#gate.open();
  }

  #description(): Partial<NodeDescription> {
    const { cpus = 8, memoryBytes = 16 * GIB } = this.#options;
    return { resources: { cpus, memoryBytes, generic: {} } };
  }
}

/** A driver whose answers reach the agent only when that does not stand still. */
function behindGate<T extends object>(answering: T, gate: Gate): T {
  return new Proxy(answering, {
    get(target, name) {
      const member = Reflect.get(target, name, target) as unknown;
      if (typeof member !== 'function') return member;
      return (...given: unknown[]) => {
        const answer: unknown = member.apply(target, given);
        if (answer instanceof Promise) return gate.result(answer);
        return name === 'runtime' ? behindGate(answer as object, gate) : answer;
      };
    },
  });
}

/** Probes find a port open while a task that has it runs, and healthy as its script says. */
function probesOf(host: SimulatedHost): ProbeNetwork {
  const taskAt = (port: number) => {
    const found = host.running().find(({ ports }) => ports.some((each) => each.port === port));
    if (found === undefined) throw new Error(`nobody listens on port ${port}`);
    return found;
  };
  return {
    async connect(_, port) {
      taskAt(port);
    },
    async request(_, port) {
      const { exitCode } = host.exec(taskAt(port).id, ['probe']);
      return { status: exitCode === 0 ? 200 : 503 };
    },
  };
}
