/** What nodes offer and tasks take: processors, memory, and resources that only their owner knows (GPUs, licences). */

/**
 * One generic resource of a node: so many alike, or a set of named ones of which a task is given its own.
 */
export type GenericResource = number | readonly string[];

/** What a node can give to tasks. */
export interface NodeResources {
  /** Processors, fractions allowed. */
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly generic: Readonly<Record<string, GenericResource>>;
}

/** Named generic resources that a task was given: `{gpu: ['gpu-0']}`. */
export type AssignedGeneric = Readonly<Record<string, readonly string[]>>;
