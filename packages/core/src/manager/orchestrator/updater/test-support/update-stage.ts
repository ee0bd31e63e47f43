/**
 * A cluster with one service on which updates are played: the real loops, and agents that do by a task's image what
 * tasks in the world do. `missing` can't be prepared, `crash` ends as soon as it runs, `late-crash` three seconds later,
 * `slow` is never prepared; everything else runs.
 */

import type { Service, Task } from '../../../../model/objects.ts';
import { parseServiceSpec } from '../../../../model/parse-spec.ts';
import type { ServiceSpecInput } from '../../../../model/service-spec.ts';
import { isMeantToRun, isTerminal, taskStateRank } from '../../../../model/task-state.ts';
import { seededRandom } from '../../../../runtime/random.ts';
import type { ClusterState } from '../../../../state/cluster-state.ts';
import { endpointsOf } from '../../../../state/endpoints.ts';
import { LoopHarness } from '../../../../testing/loop-harness.ts';
import { aCluster, type BuiltNode } from '../../../../testing/state-builder.ts';
import { updateService } from '../../../api/service-commands.ts';
import type { UpdateCommand } from '../../../api/update-commands.ts';
import { serviceLoops } from '../../test-support/service-loops.ts';

const LATE_MS = 3_000;

/** What the stage begins with. */
export interface StageParts {
  readonly mode?: 'replicated' | 'global';
  /** Slots, and as many nodes. Default 4. */
  readonly slots?: number;
  readonly spec?: Partial<Omit<ServiceSpecInput, 'name' | 'mode' | 'replicas'>>;
  readonly node?: BuiltNode;
  /** Another manager leads from every step on. */
  readonly leaders?: 'change' | 'stay';
}

/** One service, `web`, on a cluster. It begins with all tasks running from image `v1`. */
export class UpdateStage {
  readonly harness: LoopHarness;
  readonly #leaders: StageParts['leaders'];

  constructor({ mode = 'replicated', slots = 4, spec = {}, node = {}, leaders = 'stay' }: StageParts = {}) {
    this.#leaders = leaders;
    const replicas = mode === 'replicated' ? { replicas: slots } : {};
    const cluster = aCluster().withNodes(slots, () => node);
    cluster.withService({
      name: 'web',
      mode,
      ...replicas,
      ...spec,
      task: { image: 'v1', restart: { delayMs: 1_000, backoff: 'fixed' }, ...spec.task },
    });
    this.harness = new LoopHarness(cluster, serviceLoops());
    this.settle();
  }

  get state(): ClusterState {
    return this.harness.state;
  }

  get service(): Service {
    const service = this.state.serviceByName('web');
    if (!service) throw new Error('the service is gone');
    return service;
  }

  /** Every task of the service that is known, oldest first. */
  get tasks(): readonly Task[] {
    return [...this.state.tasks()];
  }

  /** The images of what serves, slot by slot; `-` for a slot in which nothing does, `a+b` for two that do. */
  get serving(): string {
    const images: string[] = [];
    for (const [, tasks] of this.state.slots(this.service.id)) {
      const serve = tasks.filter(
        (task) => task.status.state === 'running' && isMeantToRun(task.desiredState),
      );
      images.push(serve.map((task) => task.spec.image).join('+') || '-');
    }
    return images.join(' ');
  }

  /** The images of what has traffic, each once. */
  get traffic(): string {
    const images = endpointsOf(this.state, this.service).map(
      ({ taskId }) => this.state.task(taskId)?.spec.image,
    );
    return [...new Set(images)].sort().join('+');
  }

  get update(): string {
    return this.service.updateStatus?.state ?? 'none';
  }

  /** A user changes the spec. */
  change(change: Partial<ServiceSpecInput>): this {
    const { service } = this;
    const spec = parseServiceSpec({ ...service.spec, ...change });
    this.harness.apply(...updateService(this.state, service, { spec }).events);
    return this.#next();
  }

  /** A user changes the image. */
  to(image: string, more: Partial<ServiceSpecInput> = {}): this {
    return this.change({ ...more, task: { ...this.service.spec.task, image } });
  }

  /** A user's command on the update. */
  command(decide: UpdateCommand): this {
    const context = { at: this.harness.cluster.at, random: seededRandom(1) };
    this.harness.apply(...decide(this.service, context).events);
    return this.#next();
  }

  /** The newest task of a slot ends. */
  end(slot: number, how: 'failed' | 'complete' = 'failed'): this {
    const key = [...this.state.slots(this.service.id)][slot - 1];
    const task = key?.[1].findLast(({ status }) => !isTerminal(status.state));
    if (!task) throw new Error(`there is no task in slot ${slot}`);
    this.harness.report([task], how, { message: 'it ended' });
    return this.#next();
  }

  /** Loops and agents in turn until nothing moves at this time. */
  settle(): this {
    for (let round = 0; round < 500; round++) {
      const { index } = this.state;
      this.harness.run();
      this.#work();
      if (this.state.index === index) return this;
    }
    throw new Error('the cluster does not settle');
  }

  /** The same for so long, with everything that time brings. */
  for(ms: number): this {
    const end = this.harness.cluster.at + ms;
    this.settle();
    for (;;) {
      const next = Math.min(this.harness.wakeAt ?? end, this.#nextCrash() ?? end, end);
      this.harness.cluster.after(Math.max(0, next - this.harness.cluster.at));
      this.settle();
      if (next >= end) return this;
    }
  }

  #next(): this {
    if (this.#leaders === 'change') this.harness.changeLeader(serviceLoops());
    return this;
  }

  #work(): void {
    for (const task of this.state.tasks()) {
      const { state } = task.status;
      if (isTerminal(state) || taskStateRank(state) < taskStateRank('assigned')) continue;
      if (!isMeantToRun(task.desiredState)) this.harness.report([task], 'shutdown');
      else this.#bringOn(task);
    }
  }

  #bringOn(task: Task): void {
    const { state } = task.status;
    const { image } = task.spec;
    if (state === 'running') {
      const age = this.harness.cluster.at - (task.runningSince ?? 0);
      if (image === 'crash' || (image === 'late-crash' && age >= LATE_MS))
        this.harness.report([task], 'failed', { error: 'exit code 1' });
      return;
    }
    if (image === 'missing') this.harness.report([task], 'rejected', { error: 'no such image' });
    else if (image === 'slow') {
      if (state !== 'preparing') this.harness.report([task], 'preparing');
    } else if (task.desiredState === 'running') this.harness.report([task], 'running');
    else if (taskStateRank(state) < taskStateRank('ready')) this.harness.report([task], 'ready');
  }

  #nextCrash(): number | undefined {
    const times = this.tasks
      .filter(({ spec, status }) => spec.image === 'late-crash' && status.state === 'running')
      .map(({ runningSince = 0 }) => runningSince + LATE_MS);
    return times.length === 0 ? undefined : Math.min(...times);
  }
}
