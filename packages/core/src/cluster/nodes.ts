/** `cluster.nodes`: the machines, and what users may ask of them. */

import { InvalidSpecError, PreconditionError } from '../errors.ts';
import { findNode } from '../manager/api/find.ts';
import {
  changeRole,
  joinNode,
  removeNode,
  setAvailability,
  updateNode,
} from '../manager/api/node-commands.ts';
import type { NodeId } from '../model/ids.ts';
import { type Node, type NodeState, unknownDescription } from '../model/objects.ts';
import { type NodeSpec, type NodeSpecInput, nodeSpecSchema } from '../model/other-specs.ts';
import { parseSpec } from '../model/parse-spec.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import { type CommandOptions, type Control, commandsOn, type VersionedCommandOptions } from './control.ts';
import { clusterFindings } from './diagnose.ts';
import { type DrainProgress, drainProgress, measureDrain } from './drain-progress.ts';
import { distinct, type ProgressOptions, ProgressTeller, splitOptions } from './progress.ts';
import { NodeReader } from './readers.ts';

const NODE = commandsOn('node');
/** Most tasks whose reasons a time-out tells. */
const REASONS_MAX = 5;

/** What of a node users may change. What is absent stays as it is; `labels` replaces all labels. */
export interface NodeUpdate {
  readonly availability?: NodeSpec['availability'];
  readonly labels?: Readonly<Record<string, string>>;
}

/** Options of {@link Nodes.drain}. */
export interface DrainOptions extends VersionedCommandOptions {
  /**
   * After so many milliseconds, tasks that have found no other place are stopped all the same. Default: they stay until
   * there is one.
   */
  readonly deadlineMs?: number;
}

/** Options of {@link Nodes.waitFor}. Progress is told of a drain. */
export type NodeWaitOptions = ProgressOptions<DrainProgress>;

/** A machine that becomes a node. */
export interface NodeJoin extends NodeSpecInput {
  /** Default: a random one. */
  readonly id?: NodeId;
  readonly hostname: string;
  /** Address under which its ports are reached. */
  readonly address: string;
  /** Name of its runtime driver, if known. */
  readonly driver?: string;
}

/** The nodes of a cluster. */
export class Nodes extends NodeReader {
  readonly #control: Control;

  constructor(control: Control) {
    super(() => control.state);
    this.#control = control;
  }

  /**
   * Changes availability or labels. Draining moves its tasks to other nodes.
   *
   * @throws NotFoundError, InvalidSpecError, VersionConflictError, UnavailableError, OutcomeUnknownError
   */
  update(ref: string, update: NodeUpdate, options: VersionedCommandOptions = {}): Promise<NodeId> {
    return this.#control.command(
      `update node ${ref}`,
      options,
      (head) => {
        const node = findNode(head, ref);
        const { drainDeadline, ...spec } = node.spec;
        const kept =
          drainDeadline === undefined || update.availability !== undefined ? {} : { drainDeadline };
        return updateNode(node, parseSpec(nodeSpecSchema, { ...spec, ...kept, ...update }), options.version);
      },
      NODE.update,
      (head, answer) => (answer?.id as NodeId | undefined) ?? findNode(head, ref).id,
    );
  }

  /**
   * Makes a machine a member, before it has said anything. It is ready once its agent has a session.
   *
   * @throws PreconditionError if there is a node of that id; InvalidSpecError, UnavailableError, OutcomeUnknownError
   */
  join(request: NodeJoin, options: CommandOptions = {}): Promise<NodeId> {
    const { id, hostname, address, driver = '', ...spec } = request;
    return this.#control.command(
      `join node ${hostname}`,
      options,
      (head, context) => {
        if (id !== undefined && head.node(id)) throw new PreconditionError(`there is a node ${id} already`);
        const description = unknownDescription(hostname, driver);
        const joining = { spec: parseSpec(nodeSpecSchema, spec), description, address };
        const joined = joinNode({ ...joining, ...(id === undefined ? {} : { id }) }, context);
        return { ...joined, answer: { id: joined.result, action: 'created', what: 'node' } };
      },
      NODE.create,
      (head, answer) => (answer?.id as NodeId | undefined) ?? findNode(head, hostname).id,
    );
  }

  /**
   * Wants the node to be a manager. What that takes beyond the wish is up to who runs the managers.
   *
   * @throws NotFoundError, VersionConflictError, UnavailableError, OutcomeUnknownError
   */
  promote(ref: string, options: VersionedCommandOptions = {}): Promise<NodeId> {
    return this.#changeRole(ref, 'manager', options);
  }

  /** Wants the node to be a worker. @throws as {@link promote}; PreconditionError if it is the last manager. */
  demote(ref: string, options: VersionedCommandOptions = {}): Promise<NodeId> {
    return this.#changeRole(ref, 'worker', options);
  }

  /**
   * Empties a node: each task that serves is stopped once its successor serves elsewhere, never more at a time than
   * the budgets of the services allow. `waitFor(node, 'drained')` tells when it is empty, `drainProgress` what it still
   * waits for.
   *
   * @throws NotFoundError, InvalidSpecError, VersionConflictError, UnavailableError, OutcomeUnknownError
   */
  drain(ref: string, options: DrainOptions = {}): Promise<NodeId> {
    const { deadlineMs } = options;
    if (deadlineMs !== undefined && !(Number.isSafeInteger(deadlineMs) && deadlineMs >= 0)) {
      const rule = 'must be a whole number of milliseconds, 0 or more';
      return Promise.reject(new InvalidSpecError([{ field: 'deadlineMs', rule }]));
    }
    return this.#setAvailability(ref, 'drain', options, deadlineMs);
  }

  /** The node keeps its tasks and gets no new ones. @throws as {@link drain} */
  pause(ref: string, options: VersionedCommandOptions = {}): Promise<NodeId> {
    return this.#setAvailability(ref, 'pause', options);
  }

  /** The node takes tasks again. What a drain has moved away stays where it is. @throws as {@link drain} */
  activate(ref: string, options: VersionedCommandOptions = {}): Promise<NodeId> {
    return this.#setAvailability(ref, 'active', options);
  }

  /** How far the node's drain has come, and what its tasks wait for. @throws NotFoundError */
  drainProgress(ref: string): DrainProgress {
    return drainProgress(this.#control.state, findNode(this.#control.state, ref));
  }

  /**
   * Forgets a node that is down, a worker that is drained and empty, or any with `force`. Its tasks are replaced
   * elsewhere.
   *
   * @throws NotFoundError, PreconditionError, VersionConflictError, UnavailableError, OutcomeUnknownError
   */
  remove(ref: string, options: VersionedCommandOptions & { readonly force?: boolean } = {}): Promise<NodeId> {
    return this.#control.command(
      `remove node ${ref}`,
      options,
      (head, context) => removeNode(head, findNode(head, ref), context, options),
      NODE.remove,
      (_, answer) => (answer?.id ?? ref) as NodeId,
    );
  }

  /**
   * Waits until the node is in this state, or, with `drained`, until nothing is at work there any more and it takes
   * nothing new.
   *
   * @throws NotFoundError, InvalidSpecError, AbortedError, ClosedError; TimeoutError with what the last tasks wait for
   */
  async waitFor(ref: string, goal: NodeState | 'drained', options: NodeWaitOptions = {}): Promise<Node> {
    const { waiting, telling } = splitOptions(options);
    if (goal !== 'drained') {
      return this.#control.until(`node ${ref} ${goal}`, waiting, (now) => {
        const node = findNode(now, ref);
        return node.status.state === goal ? node : undefined;
      });
    }
    const teller = new ProgressTeller<DrainProgress>(this.#control.clock, telling);
    const { everyMs } = teller;
    const look = (now: ClusterState): Node | undefined => {
      const node = findNode(now, ref);
      const progress = measureDrain(now, node);
      teller.look(() => ({
        ...progress,
        findings: [...clusterFindings(this.#control.manager), ...progress.findings],
      }));
      return progress.drained ? node : undefined;
    };
    const left = () => measureDrain(this.#control.state, this.inspect(ref)).tasks;
    const reasons = () => {
      if (this.inspect(ref).spec.availability !== 'drain') return ['it is not to be drained'];
      return left()
        .slice(0, REASONS_MAX)
        .map((task) => `${task.service}.${task.slot} ${task.message}`);
    };
    const findings = () => [...clusterFindings(this.#control.manager), ...distinct(left())];
    return this.#control.until(`node ${ref} drained`, waiting, look, { everyMs, reasons, findings });
  }

  #setAvailability(
    ref: string,
    availability: NodeSpec['availability'],
    options: VersionedCommandOptions,
    deadlineMs?: number,
  ): Promise<NodeId> {
    return this.#control.command(
      `make node ${ref} ${availability}`,
      options,
      (head, { at }) => {
        const deadline = deadlineMs === undefined ? {} : { drainDeadline: at + deadlineMs };
        return setAvailability(findNode(head, ref), { availability, ...deadline }, options.version);
      },
      NODE.update,
      (head, answer) => (answer?.id as NodeId | undefined) ?? findNode(head, ref).id,
    );
  }

  #changeRole(ref: string, role: NodeSpec['role'], options: VersionedCommandOptions): Promise<NodeId> {
    return this.#control.command(
      `make node ${ref} a ${role}`,
      options,
      (head) => changeRole(head, findNode(head, ref), role, options.version),
      NODE.update,
      (head, answer) => (answer?.id as NodeId | undefined) ?? findNode(head, ref).id,
    );
  }
}
