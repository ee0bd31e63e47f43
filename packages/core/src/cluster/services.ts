/** `cluster.services`: what users ask for, and how far it has come. */

import type { LogOptions } from '../driver/runtime-driver.ts';
import { InvalidSpecError, type SpecIssue } from '../errors.ts';
import { checkRef, findService } from '../manager/api/find.ts';
import {
  applyService,
  createService,
  removeService,
  type ServiceChange,
  type ServiceRequest,
  scaledSpec,
  updateService,
} from '../manager/api/service-commands.ts';
import {
  abortUpdate,
  pauseUpdate,
  promoteUpdate,
  resumeUpdate,
  rollBackService,
  type UpdateCommand,
  type UpdateCommanded,
} from '../manager/api/update-commands.ts';
import type { ServiceDiagnosis } from '../manager/diagnosis/diagnosis.ts';
import type { ServiceId } from '../model/ids.ts';
import type { Service } from '../model/objects.ts';
import { parseServiceSpec } from '../model/parse-spec.ts';
import type { ServiceSpec, ServiceSpecInput } from '../model/service-spec.ts';
import type { WaitOptions } from '../runtime/abort.ts';
import { type ChangeSet, concernsService } from '../state/change.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import { again } from './applied-again.ts';
import { type CommandOptions, type Control, commandsOn, type VersionedCommandOptions } from './control.ts';
import { diagnoseNow, diagnoseOn } from './diagnose.ts';
import { GoalPace } from './goal-pace.ts';
import { type ProgressOptions, ProgressTeller, splitOptions } from './progress.ts';
import { ServiceReader } from './readers.ts';
import {
  checkGoal,
  goalFailed,
  goalInWords,
  lookAtGoal,
  measureGoal,
  type ServiceGoal,
  type ServiceProgress,
} from './service-goals.ts';
import { type ReadTask, type ServiceLogChunk, serviceLogs } from './service-logs.ts';
import { serviceRequest } from './service-request.ts';
import type { ServiceStatus } from './service-status.ts';

const SERVICE = commandsOn('service');

/** A spec, or how the next one follows from the present one. */
export type ServiceUpdate = ServiceSpecInput | ((current: ServiceSpec) => ServiceSpecInput);

/** The services of a cluster. */
export class Services extends ServiceReader {
  readonly #control: Control;
  readonly #readTask: ReadTask;

  /** @param readTask Reads the output of one task. */
  constructor(control: Control, readTask: ReadTask) {
    super(() => control.state);
    this.#control = control;
    this.#readTask = readTask;
  }

  /**
   * Creates a service. Its tasks follow by themselves; wait for them with {@link waitFor}.
   *
   * @throws InvalidSpecError, NameConflictError, UnavailableError, OutcomeUnknownError
   */
  async create(input: ServiceSpecInput, options: CommandOptions = {}): Promise<ServiceChange> {
    const request = serviceRequest(this.#control, parseServiceSpec(input));
    return this.#control.command(
      `create service ${request.spec.name}`,
      options,
      (head, context) => createService(head, request, context),
      SERVICE.create,
      (head, answer) => again(answer, () => findService(head, request.spec.name)),
    );
  }

  /**
   * Gives a service another spec. A function is applied to the spec as it is at that moment, so that two callers
   * never undo each other; a whole spec should come with the `version` that it was made from.
   *
   * @param ref - id or name.
   * @throws NotFoundError, InvalidSpecError, VersionConflictError, PreconditionError, UnavailableError,
   *   OutcomeUnknownError
   */
  async update(
    ref: string,
    update: ServiceUpdate,
    options: VersionedCommandOptions = {},
  ): Promise<ServiceChange> {
    const requestFor = this.#requester(update);
    return this.#control.command(
      `update service ${ref}`,
      options,
      (head) => {
        const service = findService(head, ref);
        return updateService(head, service, requestFor(service), options.version);
      },
      SERVICE.update,
      (head, answer) => again(answer, () => findService(head, ref)),
    );
  }

  /** Sets the number of replicas. @throws as {@link update} */
  scale(ref: string, replicas: number, options: VersionedCommandOptions = {}): Promise<ServiceChange> {
    return this.update(ref, (current) => scaledSpec(current, replicas), options);
  }

  /**
   * Makes the service of that name be as the spec says: creates it, updates it or leaves it alone, and says which and
   * what differed. Asking twice changes nothing.
   *
   * @throws InvalidSpecError, PreconditionError, UnavailableError, OutcomeUnknownError
   */
  async apply(input: ServiceSpecInput, options: CommandOptions = {}): Promise<ServiceChange> {
    const request = serviceRequest(this.#control, parseServiceSpec(input));
    const { name } = request.spec;
    return this.#control.command(
      `apply service ${name}`,
      options,
      (head, context) => applyService(head, request, context),
      SERVICE.apply,
      (head, answer) => again(answer, () => findService(head, name)),
    );
  }

  /**
   * Replaces every task by a new one, as an update does though nothing changed. @throws as {@link update}
   */
  forceUpdate(ref: string, options: VersionedCommandOptions = {}): Promise<ServiceChange> {
    const forced = (current: ServiceSpec): ServiceSpecInput => ({
      ...current,
      task: { ...current.task, forceUpdate: current.task.forceUpdate + 1 },
    });
    return this.update(ref, forced, options);
  }

  /**
   * Goes back to the spec that the service had before, by its `rollback` policy; a second time, forward again.
   *
   * @throws NotFoundError, PreconditionError if there is no spec to go back to, VersionConflictError, UnavailableError,
   *   OutcomeUnknownError
   */
  rollback(ref: string, options: VersionedCommandOptions = {}): Promise<UpdateCommanded> {
    return this.#onUpdate('roll back', ref, rollBackService, options);
  }

  /** Lets an update go on that waits behind its canaries, or for the switch. @throws as {@link rollback} */
  promote(ref: string, options: VersionedCommandOptions = {}): Promise<UpdateCommanded> {
    return this.#onUpdate('promote', ref, promoteUpdate, options);
  }

  /** Ends an update by going back to the spec before it. @throws as {@link rollback} */
  abort(ref: string, options: VersionedCommandOptions = {}): Promise<UpdateCommanded> {
    return this.#onUpdate('abort', ref, abortUpdate, options);
  }

  /** Stops an update, or a rollback, where it is. @throws as {@link rollback} */
  pauseUpdate(ref: string, options: VersionedCommandOptions = {}): Promise<UpdateCommanded> {
    return this.#onUpdate('pause', ref, pauseUpdate, options);
  }

  /** Goes on with an update that is paused. @throws as {@link rollback} */
  resumeUpdate(ref: string, options: VersionedCommandOptions = {}): Promise<UpdateCommanded> {
    return this.#onUpdate('resume', ref, resumeUpdate, options);
  }

  #onUpdate(
    what: string,
    ref: string,
    decide: UpdateCommand,
    options: VersionedCommandOptions,
  ): Promise<UpdateCommanded> {
    return this.#control.command(
      `${what} the update of service ${ref}`,
      options,
      (head, context) => decide(findService(head, ref), context, options.version),
      SERVICE.update,
      (_, answer) => ({ id: (answer?.id ?? ref) as ServiceId }),
    );
  }

  /**
   * Removes a service. Its tasks are stopped and then forgotten; wait for that with `waitFor(id, 'removed')`.
   *
   * @throws NotFoundError, VersionConflictError, UnavailableError, OutcomeUnknownError
   */
  async remove(ref: string, options: VersionedCommandOptions = {}): Promise<{ readonly id: ServiceId }> {
    const vaultBefore = this.#control.state.roots.vault;
    const removed = await this.#control.command(
      `remove service ${ref}`,
      options,
      (head) => removeService(head, findService(head, ref), options.version),
      SERVICE.remove,
      (_, answer) => ({ id: (answer?.id ?? ref) as ServiceId }),
    );
    if (this.#control.state.roots.vault !== vaultBefore)
      await this.#control.forget(`removal of ${ref}`, options);
    return removed;
  }

  /**
   * Why the service and its tasks are not where they should be: for each a code out of a closed set, words, and what would
   * resolve it; current, and read off the service's own tasks. Any member can tell, also of a service that was removed
   * and whose tasks still stop.
   *
   * @throws NotFoundError, InvalidSpecError, TimeoutError, AbortedError, ClosedError
   */
  diagnose(ref: string, options: WaitOptions = {}): Promise<ServiceDiagnosis> {
    return diagnoseOn(this.#control, ref, options);
  }

  /**
   * Waits until the service has converged (`running`); has also been updated, or rolled back, to the end (`updated`,
   * `rolled-back`); has completed as a job; is gone with all its tasks; or has the status that a function asks for. By a
   * schedule, the run that goes on is waited for, else the next where none has completed yet. Tasks on a node that is
   * down can't be waited for: nobody hears of their end. A stall is told to `onProgress`, and does not end the wait.
   *
   * @throws NotFoundError if there is no such service (unless waiting for its removal); PreconditionError if it is no
   *   job (waiting for its completion); GoalFailedError, with the findings, if its run failed, its update is paused, or
   *   was rolled back where that is not what is waited for; TimeoutError with the findings; InvalidSpecError;
   *   AbortedError, ClosedError
   */
  async waitFor(
    ref: string,
    goal: ServiceGoal,
    options: ProgressOptions<ServiceProgress> = {},
  ): Promise<ServiceStatus> {
    checkRef('service', ref);
    checkGoal(goal);
    const { waiting, telling } = splitOptions(options);
    const control = this.#control;
    const id = serviceIdOf(control.state, ref);
    const teller = new ProgressTeller<ServiceProgress>(control.clock, telling);
    const { everyMs } = teller;
    const pace = new GoalPace(id, goal);
    const look = (state: ClusterState): ServiceStatus | undefined => {
      const found = lookAtGoal(state, id, ref, goal);
      pace.looked(found);
      const diagnose = () => diagnoseNow(control, state, id);
      teller.look(() => measureGoal(found, diagnose));
      if (found.failure !== undefined) throw goalFailed(ref, goal, found.failure, diagnose());
      return found.reached;
    };
    const now = () =>
      measureGoal(lookAtGoal(control.state, id, ref, goal), () => diagnoseNow(control, control.state, id));
    const reasons = () => now().status.reasons;
    const findings = () => now().findings;
    // Whoever listens is told of every step.
    const concerns = (changes: ChangeSet) =>
      everyMs === undefined ? pace.concerns(changes) : concernsService(changes, id);
    return control.until(goalInWords(ref, goal), waiting, look, { concerns, everyMs, reasons, findings });
  }

  /**
   * What all tasks of a service printed, oldest first; with `follow`, then what they print, also those that come later,
   * until the signal aborts. `tail` counts lines of each task. Any member can be asked.
   *
   * @throws NotFoundError; what reading a task's output throws; PreconditionError at the end, naming tasks whose node
   *   is not connected.
   */
  async *logs(ref: string, options: LogOptions & WaitOptions = {}): AsyncIterable<ServiceLogChunk> {
    const { id } = findService(this.#control.state, ref);
    yield* serviceLogs(this.#control, id, this.#readTask, options);
  }

  #requester(update: ServiceUpdate): (service: Service) => ServiceRequest {
    if (typeof update === 'function') return (service) => derive(service, update);
    const request = serviceRequest(this.#control, parseServiceSpec(update));
    return () => request;
  }
}

function derive(service: Service, update: (current: ServiceSpec) => ServiceSpecInput): ServiceRequest {
  const spec = parseServiceSpec(update(service.spec));
  const { registryAuth } = spec.task;
  if (registryAuth !== undefined && registryAuth !== service.spec.task.registryAuth) {
    const issue: SpecIssue = {
      field: 'task.registryAuth',
      rule: 'new credentials need a whole spec, since they are sealed before the update is decided',
    };
    throw new InvalidSpecError([issue]);
  }
  return { spec };
}

function serviceIdOf(state: ClusterState, ref: string): ServiceId {
  return state.serviceByName(ref)?.id ?? state.departedService(ref) ?? (ref as ServiceId);
}
