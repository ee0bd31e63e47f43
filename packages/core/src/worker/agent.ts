/**
 * A node's agent: opens the driver, keeps a session with the managers for as long as it lives, and passes what comes
 * over it to the worker and what the worker observes back. When the managers are away it keeps the tasks running and
 * goes on asking.
 */

import type { DriverContext, RuntimeDriver } from '../driver/runtime-driver.ts';
import { ClosedError, DriverError } from '../errors.ts';
import type { NodeId, SessionId } from '../model/ids.ts';
import type { Node, NodeDescription } from '../model/objects.ts';
import { plainEqual } from '../model/plain-equal.ts';
import { type Clock, sleep } from '../runtime/clock.ts';
import { type Logger, silentLogger } from '../runtime/logger.ts';
import type { Random } from '../runtime/random.ts';
import { BackOff } from './back-off.ts';
import { bounded, errorText } from './bounded.ts';
import { consume } from './consume.ts';
import { type DataPlane, feedOf, followEndpoints } from './data-plane.ts';
import { type DispatcherPort, type Session, SessionError } from './dispatcher-port.ts';
import { checkDescription, checkRecovered } from './driver-answers.ts';
import type { ProbeFetch, ProbeNetwork } from './health/probe.ts';
import { WORKER_LIMITS, type WorkerLimits } from './limits.ts';
import { StatusReporter } from './status-reporter.ts';
import { Worker } from './worker.ts';

/** Options of an {@link Agent}. */
export interface AgentOptions {
  readonly clusterId: DriverContext['clusterId'];
  readonly nodeId: NodeId;
  readonly hostname: string;
  /** Address under which ports of this node are reached, by others and by health probes. */
  readonly address: string;
  /** A directory of the node's own for the driver. */
  readonly stateDir?: string;
  readonly driver: RuntimeDriver;
  readonly dispatcher: DispatcherPort;
  readonly clock: Clock;
  readonly random: Random;
  /** Default: says nothing. */
  readonly logger?: Logger;
  readonly limits?: Partial<WorkerLimits>;
  /**
   * How TCP probes connect and HTTP probes ask; without it tasks with TCP probes are rejected. `@skep/core/node` has
   * one.
   */
  readonly probeNetwork?: ProbeNetwork;
  /** What passes traffic on at this node. Without one nobody waits for this node to hear of what left. */
  readonly dataPlane?: DataPlane;
  /** How HTTP probes ask where the probe network can't. Default: the host's `fetch`. */
  readonly probeFetch?: ProbeFetch;
}

/** How an agent leaves. */
export interface AgentCloseOptions {
  /** Stop the tasks first, each with its own grace, and report it. Default: they are left running. */
  readonly drain?: boolean;
  /**
   * Whether tasks that had traffic then wait for their drain delay. Default true; not where the whole cluster ends, and
   * traffic has nowhere else to go.
   */
  readonly drainDelay?: boolean;
}

/** What an agent is at: `removed` when its node was taken out of the cluster. */
export type AgentState = 'new' | 'connecting' | 'connected' | 'removed' | 'closed';

/** One node's agent. */
export class Agent {
  readonly #options: AgentOptions;
  readonly #logger: Logger;
  readonly #limits: WorkerLimits;
  readonly #worker: Worker;
  readonly #reporter: StatusReporter;
  readonly #life = new AbortController();
  #state: AgentState = 'new';
  #problem: string | undefined;
  #session: Session | undefined;
  #node: Node | undefined;
  /** What the driver told of the platform last. */
  #platform: NodeDescription['platform'] = { os: '', architecture: '' };
  #draining: Promise<void> | undefined;
  #running: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor(options: AgentOptions) {
    const { clock, random, driver, probeNetwork } = options;
    this.#options = options;
    this.#limits = { ...WORKER_LIMITS, ...options.limits };
    this.#logger = (options.logger ?? silentLogger).child({ node: options.nodeId });
    const parts = { clock, random, logger: this.#logger, limits: this.#limits };
    this.#reporter = new StatusReporter(parts);
    this.#worker = new Worker({
      ...parts,
      driver,
      probes: {
        address: options.address,
        fetch: options.probeFetch ?? globalThis.fetch,
        ...(probeNetwork && { network: probeNetwork }),
      },
      node: () => ({ id: options.nodeId, hostname: options.hostname, platform: this.#platform }),
      onStatus: (id, status) => this.#reporter.note(id, status),
      onForgotten: (id) => this.#reporter.forget(id),
    });
  }

  get state(): AgentState {
    return this.#state;
  }

  /** The node as the managers saw it last; undefined before the first session. */
  get node(): Node | undefined {
    return this.#node;
  }

  /** Its present session; undefined while it has none. */
  get sessionId(): SessionId | undefined {
    return this.#session?.id;
  }

  /** Why there is no session just now, in the words of the driver or the managers; undefined while there is one. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** What runs here. */
  get worker(): Worker {
    return this.#worker;
  }

  /**
   * Opens the driver and begins to look for the managers. Called once.
   *
   * @throws DriverError when the driver can't be opened. Managers that are away are no error: they are asked again.
   */
  async start(): Promise<void> {
    if (this.#state !== 'new') throw new ClosedError('the agent');
    this.#state = 'connecting';
    const { clusterId, nodeId, hostname, stateDir, driver, clock } = this.#options;
    try {
      const recovered = await bounded(
        { clock, signal: this.#life.signal, deadlineMs: this.#limits.openMs, what: 'opening the driver' },
        () =>
          driver.open({
            clusterId,
            nodeId,
            hostname,
            clock,
            logger: this.#logger,
            ...(stateDir === undefined ? {} : { stateDir }),
          }),
      );
      this.#worker.adopt(checkRecovered(recovered));
      await this.#worker.endOldLeases();
    } catch (error) {
      this.#state = 'closed';
      throw new DriverError(`driver ${driver.name} could not be opened: ${errorText(error)}`, {
        cause: error,
      });
    }
    this.#running = this.#run();
  }

  /**
   * Stops all tasks, each with its own grace, and reports it; takes no more from then on. The managers are asked first,
   * so that nobody sends them traffic any more. Safe to call twice; never rejects.
   */
  drain(options: Pick<AgentCloseOptions, 'drainDelay'> = {}): Promise<void> {
    this.#draining ??= this.#drain(options);
    return this.#draining;
  }

  /** Leaves the managers and lets go of the driver. Safe to call twice; never rejects. */
  close(options: AgentCloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  async #close({ drain = false, ...options }: AgentCloseOptions): Promise<void> {
    const { dispatcher, nodeId, driver } = this.#options;
    if (drain) await this.drain(options);
    // Nobody renews leases any more.
    await this.#worker.endLeases();
    const session = this.#session;
    this.#life.abort(new ClosedError('the agent'));
    this.#state = 'closed';
    await this.#running;
    if (session)
      await this.#quietly('closing the session', () => dispatcher.closeSession(nodeId, session.id));
    this.#worker.close();
    await this.#quietly('closing the driver', () => driver.close());
  }

  async #drain({ drainDelay = true }: Pick<AgentCloseOptions, 'drainDelay'>): Promise<void> {
    const { dispatcher, nodeId } = this.#options;
    const { id } = this.#session ?? {};
    if (id !== undefined) {
      await this.#quietly('leaving', () => dispatcher.leave(nodeId, id), this.#limits.leaveMs);
    }
    await this.#worker.shutdownAll({ drainDelay });
    if (this.#session) await this.#quietly('reporting the last statuses', () => this.#reporter.drained());
  }

  /** Does it within a time, or not. Never rejects. */
  async #quietly(what: string, work: () => Promise<void>, deadlineMs = this.#limits.callMs): Promise<void> {
    const { clock } = this.#options;
    const { signal } = new AbortController();
    await bounded({ clock, signal, deadlineMs, what }, work).catch((error: unknown) =>
      this.#logger.debug({ error: errorText(error) }, `${what} did not succeed`),
    );
  }

  /** One session after the other. Never rejects. */
  async #run(): Promise<void> {
    const { clock, random } = this.#options;
    const { signal } = this.#life;
    const backOff = new BackOff({
      firstMs: this.#limits.reconnectMs,
      maxMs: this.#limits.reconnectMaxMs,
      random,
    });
    while (!signal.aborted) {
      try {
        const description = await this.#describe();
        const sentAt = clock.monotonic();
        const session = await this.#open(description);
        this.#worker.renewLeases(sentAt);
        backOff.reset();
        this.#state = 'connected';
        this.#problem = undefined;
        await this.#serve(session, description);
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof SessionError && error.code === 'node-removed') {
          this.#logger.warn({}, 'this node was removed from the cluster: its tasks are stopped');
          this.#state = 'removed';
          // A driver that can't remove them must not hold up the agent's own end.
          await bounded({ clock, signal, what: 'removing all tasks' }, () => this.#worker.removeAll()).catch(
            () => {},
          );
          return;
        }
        this.#problem = errorText(error);
        this.#logger.warn({ error: this.#problem }, 'no session with the managers, trying again');
      }
      this.#state = signal.aborted ? 'closed' : 'connecting';
      await sleep(clock, backOff.next(), signal).catch(() => {});
    }
  }

  async #describe(): Promise<NodeDescription> {
    const { clock, driver, hostname } = this.#options;
    const { signal } = this.#life;
    const answer = await bounded(
      { clock, signal, deadlineMs: this.#limits.describeMs, what: 'describing the node' },
      () => driver.describe(),
    );
    // The name is what the node is found by after a restart, so it is not the driver's to change.
    // Nor is what passes traffic on here.
    const { endpointFeed: _, trafficKey: _key, ...told } = checkDescription(answer);
    const feed = feedOf(this.#options.dataPlane);
    const description = { ...told, hostname, ...feed };
    this.#platform = description.platform;
    return description;
  }

  #open(description: NodeDescription): Promise<Session> {
    const { clock, dispatcher, nodeId, address } = this.#options;
    const { known } = this.#worker;
    const bounds = { clock, signal: this.#life.signal, deadlineMs: this.#limits.callMs };
    return bounded({ ...bounds, what: 'opening a session' }, (signal) =>
      dispatcher.openSession(
        {
          ...{ nodeId, description, address, calls: this.#worker },
          ...(known ? { known } : {}),
          ...(this.#draining ? { leaving: true } : {}),
        },
        signal,
      ),
    );
  }

  /** Serves one session until it is lost or the node describes itself otherwise. */
  async #serve(session: Session, description: NodeDescription): Promise<void> {
    const { dispatcher, nodeId, dataPlane } = this.#options;
    const end = new AbortController();
    const onClose = () => end.abort(this.#life.signal.reason);
    this.#life.signal.addEventListener('abort', onClose, { once: true });
    if (this.#life.signal.aborted) onClose();
    this.#session = session;
    const over = (what: string) => new SessionError('session-invalid', `the session's ${what} ended`);
    try {
      const lost = new Promise<never>((_resolve, reject) => {
        this.#reporter.attach((reports) => dispatcher.reportStatus(nodeId, session.id, reports), reject);
      });
      await Promise.race([
        lost,
        this.#beat(session, end.signal),
        this.#watchDescription(description, end.signal),
        consume(session.assignments, end.signal, (message) => this.#worker.apply(message)).then(() => {
          throw over('assignments');
        }),
        ...(dataPlane ? [this.#followEndpoints(session, dataPlane, end.signal)] : []),
        consume(session.messages, end.signal, (message) => {
          this.#node = message.node;
        }).then(() => {
          throw over('messages');
        }),
      ]);
    } finally {
      this.#session = undefined;
      this.#reporter.detach();
      this.#life.signal.removeEventListener('abort', onClose);
      end.abort(new Error('the session is over'));
    }
  }

  /** Tells what passes traffic on to whom. Never resolves. */
  async #followEndpoints({ id, endpoints }: Session, dataPlane: DataPlane, signal: AbortSignal) {
    const { dispatcher, nodeId, clock } = this.#options;
    await followEndpoints({
      ...{ endpoints, dataPlane, clock, signal, logger: this.#logger, limits: this.#limits },
      confirm: (index) => dispatcher.confirmEndpoints(nodeId, id, index),
    });
    throw new SessionError('session-invalid', "the session's endpoints ended");
  }

  /** Sends heartbeats as often as the managers ask. Rejects when one is not answered. */
  async #beat(session: Session, signal: AbortSignal): Promise<never> {
    const { clock, dispatcher, nodeId } = this.#options;
    const bounds = { clock, signal, deadlineMs: this.#limits.callMs, what: 'heartbeat' };
    for (;;) {
      const sentAt = clock.monotonic();
      const { heartbeatMs } = await bounded(bounds, () => dispatcher.heartbeat(nodeId, session.id));
      this.#worker.renewLeases(sentAt);
      await sleep(clock, heartbeatMs, signal);
    }
  }

  /** Resolves when the node describes itself otherwise: a new session then tells the managers. */
  async #watchDescription(told: NodeDescription, signal: AbortSignal): Promise<void> {
    for (;;) {
      await sleep(this.#options.clock, this.#limits.describeEveryMs, signal);
      try {
        if (!plainEqual(await this.#describe(), told)) return;
      } catch (error) {
        if (signal.aborted) throw error;
        this.#logger.warn({ error: errorText(error) }, 'the driver did not describe the node');
      }
    }
  }
}
