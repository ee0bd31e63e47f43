/**
 * Reading the collections of a cluster: services, nodes, tasks, networks, secrets, configs and volumes of a state. The present
 * is read in this way, and so is the past.
 */

import { NotFoundError } from '../errors.ts';
import { findConfig, findNetwork, findSecret } from '../manager/api/file-commands.ts';
import { checkRef, findNode, findService, findServiceOrDeparted, findTask } from '../manager/api/find.ts';
import { isTaskDirty } from '../manager/orchestrator/task-dirty.ts';
import type { NodeId } from '../model/ids.ts';
import type {
  Config,
  Network,
  Node,
  NodeState,
  Secret,
  Service,
  Task,
  VolumeHome,
} from '../model/objects.ts';
import type { NodeSpec } from '../model/other-specs.ts';
import type { ServiceSpec } from '../model/service-spec.ts';
import type { DesiredState, TaskState } from '../model/task-state.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import { type ServiceStatus, serviceStatus } from './service-status.ts';

/** Gives the state to read, as it is when it is asked for. */
export type StateSource = () => ClusterState;

/** Which services to list. All that is given must hold. */
export interface ServiceFilter {
  /** Names that begin so. */
  readonly name?: string;
  readonly mode?: ServiceSpec['mode'];
  /** Labels that the service must have, with these values. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** The services of a cluster, to be read. */
export class ServiceReader {
  readonly #state: StateSource;

  constructor(state: StateSource) {
    this.#state = state;
  }

  /** The service with this id or name. @throws NotFoundError */
  inspect(ref: string): Service {
    return findService(this.#state(), ref);
  }

  /** Services that pass the filter, in the order in which they were created. */
  list(filter: ServiceFilter = {}): readonly Service[] {
    return [...this.#state().services()].filter(({ spec }) => {
      if (filter.name !== undefined && !spec.name.startsWith(filter.name)) return false;
      if (filter.mode !== undefined && spec.mode !== filter.mode) return false;
      return hasLabels(spec.labels, filter.labels);
    });
  }

  /** How far the service is from what was asked for, and why. @throws NotFoundError */
  status(ref: string): ServiceStatus {
    return serviceStatus(this.#state(), this.inspect(ref));
  }
}

/** Which nodes to list. All that is given must hold. */
export interface NodeFilter {
  readonly hostname?: string;
  readonly role?: NodeSpec['role'];
  readonly availability?: NodeSpec['availability'];
  readonly state?: NodeState;
  /** Labels that the node must have, with these values. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** The nodes of a cluster, to be read. */
export class NodeReader {
  readonly #state: StateSource;

  constructor(state: StateSource) {
    this.#state = state;
  }

  /** Nodes that pass the filter, in the order in which they joined. */
  list(filter: NodeFilter = {}): readonly Node[] {
    return [...this.#state().nodes()].filter(({ spec, description, status }) => {
      if (filter.hostname !== undefined && description.hostname !== filter.hostname) return false;
      if (filter.role !== undefined && spec.role !== filter.role) return false;
      if (filter.availability !== undefined && spec.availability !== filter.availability) return false;
      if (filter.state !== undefined && status.state !== filter.state) return false;
      return hasLabels(spec.labels, filter.labels);
    });
  }

  /** The node with this id, and no other; undefined if there is none. */
  get(id: NodeId): Node | undefined {
    return this.#state().node(id);
  }

  /** How many nodes there are. */
  get count(): number {
    return this.#state().roots.nodes.ids.size;
  }

  /** The node with this id, or the only one with this hostname. @throws NotFoundError, AmbiguousError */
  inspect(ref: string): Node {
    return findNode(this.#state(), ref);
  }
}

/** Which tasks to list. All that is given must hold. */
export interface TaskFilter {
  /** Id or name of a service; of one that was removed, too, as long as tasks of it still stop. */
  readonly service?: string;
  /** Id of a node, or a hostname that one node has. */
  readonly node?: string;
  readonly state?: TaskState;
  readonly desiredState?: DesiredState;
  /** Only those that are what their service asks for now; of a job, those of its newest run. */
  readonly upToDate?: true;
}

/** The tasks of a cluster, to be read. */
export class TaskReader {
  readonly #state: StateSource;

  constructor(state: StateSource) {
    this.#state = state;
  }

  /** Tasks that pass the filter, ended ones that are kept as history included. @throws NotFoundError */
  list(filter: TaskFilter = {}): readonly Task[] {
    const state = this.#state();
    const node = filter.node === undefined ? undefined : findNode(state, filter.node).id;
    const candidates = (): Iterable<Task> => {
      if (filter.service !== undefined) {
        return state.tasksOfService(findServiceOrDeparted(state, filter.service));
      }
      return node === undefined ? state.tasks() : state.tasksOfNode(node);
    };
    const found: Task[] = [];
    for (const task of candidates()) {
      if (node !== undefined && task.nodeId !== node) continue;
      if (filter.state !== undefined && task.status.state !== filter.state) continue;
      if (filter.desiredState !== undefined && task.desiredState !== filter.desiredState) continue;
      if (filter.upToDate && !isUpToDate(state, task)) continue;
      found.push(task);
    }
    return found;
  }

  /** The task with this id. @throws NotFoundError */
  inspect(id: string): Task {
    return findTask(this.#state(), id);
  }
}

/** The networks of a cluster, to be read. */
export class NetworkReader {
  readonly #state: StateSource;

  constructor(state: StateSource) {
    this.#state = state;
  }

  /** The network with this id or name. @throws NotFoundError */
  inspect(ref: string): Network {
    return findNetwork(this.#state(), ref);
  }

  /** All networks, in the order in which they were created. */
  list(): readonly Network[] {
    return [...this.#state().networks()];
  }
}

/** The secrets of a cluster, to be read; their values never are. */
export class SecretReader {
  readonly #state: StateSource;

  constructor(state: StateSource) {
    this.#state = state;
  }

  /** The secret with this id or name, without its value. @throws NotFoundError */
  inspect(ref: string): Secret {
    return findSecret(this.#state(), ref);
  }

  /** All secrets, without their values. */
  list(): readonly Secret[] {
    return [...this.#state().secrets()];
  }
}

/** The configs of a cluster, to be read. */
export class ConfigReader {
  readonly #state: StateSource;

  constructor(state: StateSource) {
    this.#state = state;
  }

  /** The config with this id or name. @throws NotFoundError */
  inspect(ref: string): Config {
    return withOwnData(findConfig(this.#state(), ref));
  }

  /** All configs. */
  list(): readonly Config[] {
    return [...this.#state().configs()].map(withOwnData);
  }
}

/** The volumes of a cluster that live on one node each, to be read. */
export class VolumeReader {
  readonly #state: StateSource;

  constructor(state: StateSource) {
    this.#state = state;
  }

  /** Where the volume of this name lives. @throws NotFoundError */
  inspect(name: string): VolumeHome {
    checkRef('volume', name);
    const home = this.#state().volume(name);
    if (!home) throw new NotFoundError('volume', name);
    return home;
  }

  /** All that live on one node, by name. */
  list(): readonly VolumeHome[] {
    return [...this.#state().roots.volumes.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }
}

function isUpToDate(state: ClusterState, task: Task): boolean {
  const service = state.service(task.serviceId);
  if (service === undefined) return false;
  if (service.jobStatus !== undefined) return task.jobIteration === service.jobStatus.iteration;
  return !isTaskDirty(service, task, task.nodeId === undefined ? undefined : state.node(task.nodeId));
}

/** Bytes can't be frozen, and those of the state must not be changed by whoever reads them. */
function withOwnData(config: Config): Config {
  const older = config.older.map(({ revision, data }) => ({ revision, data: new Uint8Array(data) }));
  return { ...config, data: new Uint8Array(config.data), older };
}

function hasLabels(
  labels: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>> = {},
): boolean {
  return Object.entries(wanted).every(([name, value]) => labels[name] === value);
}
