/** A cluster as it was at one moment: it reads as the cluster does, and nothing can be done to it. */

import { PreconditionError } from '../errors.ts';
import { findService } from '../manager/api/find.ts';
import type { Endpoints } from '../model/endpoint.ts';
import type { ClusterObject } from '../model/objects.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import { endpointsOf } from '../state/endpoints.ts';
import {
  ConfigReader,
  NetworkReader,
  NodeReader,
  SecretReader,
  ServiceReader,
  TaskReader,
  VolumeReader,
} from './readers.ts';

/** What `cluster.at` gives. Holding it costs what has changed since; it never changes itself. */
export class PastCluster {
  readonly services: ServiceReader;
  readonly nodes: NodeReader;
  readonly tasks: TaskReader;
  readonly networks: NetworkReader;
  readonly secrets: SecretReader;
  readonly configs: ConfigReader;
  readonly volumes: VolumeReader;
  readonly #state: ClusterState;

  constructor(state: ClusterState) {
    this.#state = state;
    const source = () => state;
    this.services = new ServiceReader(source);
    this.nodes = new NodeReader(source);
    this.tasks = new TaskReader(source);
    this.networks = new NetworkReader(source);
    this.secrets = new SecretReader(source);
    this.configs = new ConfigReader(source);
    this.volumes = new VolumeReader(source);
  }

  /** Index of the last transaction that it holds. */
  get index(): number {
    return this.#state.index;
  }

  /** Time of that transaction, by the leader's clock; milliseconds since 1970. */
  get at(): number {
    return this.#state.at;
  }

  /** The cluster object: id and settings. @throws PreconditionError before it was formed */
  get info(): ClusterObject {
    const { cluster } = this.#state;
    if (!cluster) throw new PreconditionError('the cluster was not formed yet');
    return cluster;
  }

  /** Who might receive a service's traffic then. @throws NotFoundError */
  currentEndpoints(ref: string): Endpoints {
    return endpointsOf(this.#state, findService(this.#state, ref));
  }
}
