/**
 * A whole cluster in this tab: managers, Raft, agents and simulated machines under a virtual time that runs beside the
 * real one, as fast as it is told to.
 */

import { SimulatedCluster } from '@skep/simulator';
import { clusterSource, type ManagerRow, type ViewMessage, type ViewSource } from '@skep/view';

/** A process of the cluster, as the buttons show it. */
export interface PlaygroundProcess {
  readonly name: string;
  readonly role: 'manager' | 'worker';
  readonly isUp: boolean;
  readonly isCut: boolean;
  readonly leads: boolean;
}

/** Real time between two steps of the virtual one, in ms. */
const STEP_MS = 40;
/** Most virtual time that one step lets pass at once, in ms: a tab that slept does not catch up. */
const STEP_MS_MAX = 5_000;

/** A cluster that lives in this tab. */
export class Playground {
  readonly source: ViewSource;
  readonly #sim: SimulatedCluster;
  readonly #cut = new Set<string>();
  readonly #listeners = new Set<() => void>();
  #speed = 1;
  #leader: string | undefined;
  #led = new AbortController();

  private constructor(sim: SimulatedCluster) {
    this.#sim = sim;
    const inner = clusterSource(() => sim.cluster, { managers: () => this.#managers(), actions: true });
    // A stream reads one manager. When another one leads, what that one says is the present.
    const stream = (options: { readonly from?: number; readonly signal: AbortSignal }) =>
      this.#streamOfLeader(inner, options);
    this.source = new Proxy(inner, {
      get(target, name) {
        if (name === 'stream') return stream;
        const member: unknown = Reflect.get(target, name, target);
        return typeof member === 'function' ? member.bind(target) : member;
      },
    });
  }

  /** Brings it up, and lets its time run from then on. */
  static async open(options: { readonly managers: number; readonly workers: number }): Promise<Playground> {
    const sim = await SimulatedCluster.open({
      ...options,
      seed: 7,
      history: true,
      images: {
        web: { prepareMs: [200, 900], startMs: [100, 400], output: [{ line: 'listening' }] },
        worker: { prepareMs: [100, 300], startMs: 50, output: [{ line: 'ready to work' }] },
        flaky: {
          startMs: 100,
          runMs: [4_000, 20_000],
          exitCode: 1,
          output: [{ line: 'this will not last' }],
        },
      },
    });
    const playground = new Playground(sim);
    void playground.#run();
    await playground.deploy('web', 'web', 9);
    await playground.deploy('worker', 'worker', 4);
    return playground;
  }

  /** Virtual seconds in a real one; 0 stops it. */
  get speed(): number {
    return this.#speed;
  }

  set speed(speed: number) {
    this.#speed = speed;
    this.#tell();
  }

  /** Virtual time since it began, in ms. */
  get elapsedMs(): number {
    return this.#sim.clock.monotonic();
  }

  get processes(): readonly PlaygroundProcess[] {
    const { leader } = this.#sim;
    const of = (role: 'manager' | 'worker') => (name: string) => ({
      ...{ name, role, isUp: this.#sim.isUp(name), isCut: this.#cut.has(name), leads: name === leader },
    });
    return [...this.#sim.managers.map(of('manager')), ...this.#sim.workers.map(of('worker'))];
  }

  /** The last lines of what happened. */
  get trace(): readonly string[] {
    return this.#sim.trace.slice(-8);
  }

  /** Calls back as time goes on. Returns the way to stop. */
  on(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Kills a process; of a worker, the whole machine. */
  kill(name: string): void {
    this.#sim.crash(name, { machine: this.#sim.workers.includes(name) });
    this.#tell();
  }

  async start(name: string): Promise<void> {
    await this.#sim.restart(name);
    this.#tell();
  }

  /** Cuts a process off from all others that are not cut off, too. */
  cutOff(name: string): void {
    this.#cut.add(name);
    this.#sim.partition([...this.#cut]);
    this.#tell();
  }

  heal(): void {
    this.#cut.clear();
    this.#sim.heal();
    this.#tell();
  }

  /** Creates a service, or changes it. */
  async deploy(name: string, image: string, replicas: number): Promise<void> {
    await this.#sim.cluster.services.apply({ name, task: { image }, replicas }, { user: 'you' });
  }

  async #run(): Promise<void> {
    let before = performance.now();
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, STEP_MS));
      const now = performance.now();
      // Nought of time lets what is due now happen still, so that a cluster that stands still can be asked.
      await this.#sim.advance(Math.min(STEP_MS_MAX, (now - before) * this.#speed));
      before = now;
      if (this.#sim.leader !== this.#leader) {
        this.#leader = this.#sim.leader;
        this.#led.abort();
        this.#led = new AbortController();
      }
      this.#tell();
    }
  }

  async *#streamOfLeader(
    inner: ViewSource,
    { signal, ...options }: { readonly from?: number; readonly signal: AbortSignal },
  ): AsyncIterable<ViewMessage> {
    yield* inner.stream({ ...options, signal: AbortSignal.any([signal, this.#led.signal]) });
  }

  #managers(): ManagerRow[] {
    return this.processes
      .filter(({ role }) => role === 'manager')
      .map(({ name, leads, isUp, isCut }) => ({ id: name, name, leads, reachable: isUp && !isCut }));
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
