/** Somebody with a service of one's own: what the users of a simulation have in common. */

import type { ServiceSpecInput } from '@skep/core';
import type { RandomStream } from '@skep/raft/simulator';
import type { AnyUser, Expected, Wish } from './any-user.ts';

/** Owns a service, has it created, changed and removed, and knows what must be there in the end. */
export abstract class ServiceOwner implements AnyUser {
  readonly name: string;
  isBusy = false;
  protected readonly random: RandomStream;
  /** Of each kind, one has tasks on each node. */
  protected readonly isGlobal: boolean;
  /** As it was told last that its service is. */
  protected spec: Expected['spec'];
  /** How often it asked for another spec. */
  protected changes = 0;

  constructor(kind: string, at: number, random: RandomStream) {
    this.name = `${kind}-${at}`;
    this.random = random;
    this.isGlobal = at === 1;
  }

  get expected(): Expected {
    return { name: this.name, spec: this.spec, contents: {} };
  }

  abstract next(): Wish;

  /** The wish that its service be as the spec says. */
  protected asking(how: 'create' | 'update', spec: ServiceSpecInput, expected: Expected['spec']): Wish {
    const { name } = this;
    const size = spec.job?.completions ?? spec.replicas ?? 'one on each node';
    return {
      what: `${how} service ${name} with ${spec.task.image}, ${size}`,
      command: async (cluster, options) => {
        const { action } =
          how === 'create'
            ? await cluster.services.create(spec, options)
            : await cluster.services.update(name, spec, options);
        return { unchanged: action === 'unchanged' };
      },
      onDone: () => {
        this.spec = expected;
      },
    };
  }

  /** The wish that its service have another number of tasks. */
  protected scaling(replicas: number, expected: Expected['spec']): Wish {
    const { name } = this;
    return {
      what: `scale ${name} to ${replicas}`,
      command: async (cluster, options) => {
        const { action } = await cluster.services.scale(name, replicas, options);
        return { unchanged: action === 'unchanged' };
      },
      onDone: () => {
        this.spec = expected;
      },
    };
  }

  /** The wish that its service be removed. */
  protected removing(): Wish {
    const { name } = this;
    return {
      what: `remove service ${name}`,
      command: async (cluster, options) => {
        await cluster.services.remove(name, options);
        return { unchanged: false };
      },
      onDone: () => {
        this.spec = undefined;
      },
    };
  }
}
