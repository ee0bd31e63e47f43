/** The objects of a cluster as clients name them. */

import type { Cluster, Config, Network, Node, Secret, Service, Task } from '@skep/core';
import { findNamed } from './find.ts';

/** @throws Refusal 404 */
export function findService({ services }: Cluster, reference: string): Service {
  return findNamed('service', reference, {
    quick: () => services.inspect(reference),
    list: () => services.list(),
    nameOf: ({ spec }) => spec.name,
  });
}

/** @throws Refusal 404 */
export function findNode({ nodes }: Cluster, reference: string): Node {
  return findNamed('node', reference, {
    quick: () => nodes.inspect(reference),
    list: () => nodes.list(),
    nameOf: ({ description }) => description.hostname,
  });
}

/** @throws Refusal 404 */
export function findTask({ tasks }: Cluster, reference: string): Task {
  return findNamed('task', reference, {
    quick: () => tasks.inspect(reference),
    list: () => tasks.list(),
    nameOf: ({ id }) => id,
  });
}

/** @throws Refusal 404 */
export function findNetwork({ networks }: Cluster, reference: string): Network {
  return findNamed('network', reference, {
    quick: () => networks.inspect(reference),
    list: () => networks.list(),
    nameOf: ({ spec }) => spec.name,
  });
}

/** @throws Refusal 404 */
export function findSecret({ secrets }: Cluster, reference: string): Secret {
  return findNamed('secret', reference, {
    quick: () => secrets.inspect(reference),
    list: () => secrets.list(),
    nameOf: ({ spec }) => spec.name,
  });
}

/** @throws Refusal 404 */
export function findConfig({ configs }: Cluster, reference: string): Config {
  return findNamed('config', reference, {
    quick: () => configs.inspect(reference),
    list: () => configs.list(),
    nameOf: ({ spec }) => spec.name,
  });
}
