/**
 * One user of the simulated cluster, with a service, a secret and a config of its own: what it asks for next, and what
 * must be there once it was told that it is.
 */

import type { Cluster, ServiceSpecInput } from '@skep/core';
import type { RandomStream } from '@skep/raft/simulator';
import { SERVICE_IMAGE_NAMES } from './plan.ts';

/** No secret value is without it, so that a trace or a log line can be searched for it. */
export const SECRET_MARK = 'not-for-your-eyes';

/** A secret, or a config. */
type FileKind = 'secret' | 'config';
const FILE_KINDS: readonly FileKind[] = ['secret', 'config'];

/** What a user was told last. */
export interface Expected {
  readonly name: string;
  /** Of its service. Undefined: it must not be there. */
  readonly spec:
    | {
        readonly replicas: number | undefined;
        readonly change: string;
        /** Of a job: how often it was to be done. */
        readonly runs?: number;
      }
    | undefined;
  /** What its secret and its config hold. */
  readonly contents: Readonly<Partial<Record<FileKind, string>>>;
}

/** What came of a command. */
export interface Answer {
  /** The command changed nothing, so the log has no word of it. */
  readonly unchanged: boolean;
}

/** What each command is given. */
export interface AskOptions {
  readonly commandId: string;
  readonly timeout: number;
}

/** Asks one manager. */
export type Command = (cluster: Cluster, options: AskOptions) => Promise<Answer>;

/** Something that a user asks for. */
export interface Wish {
  /** In words, for the trace. */
  readonly what: string;
  readonly command: Command;
  /** Called once it is carried out. */
  readonly onDone: () => void;
}

/** Somebody who wants one thing at a time. */
export interface AnyUser {
  readonly name: string;
  readonly expected: Expected;
  isBusy: boolean;
  /** What it asks for next. */
  next(): Wish;
}

/** A user with a service that runs on. */
export class User implements AnyUser {
  readonly name: string;
  isBusy = false;
  readonly #random: RandomStream;
  readonly #isGlobal: boolean;
  readonly #priority: number | undefined;
  #spec: Expected['spec'];
  readonly #contents: Partial<Record<FileKind, string>> = {};
  /** Which of its files its service uses. */
  readonly #used = new Set<FileKind>();
  #changes = 0;

  /** @param priority - of its service. */
  constructor(at: number, random: RandomStream, priority?: number) {
    this.#priority = priority;
    this.name = `web-${at}`;
    this.#random = random;
    this.#isGlobal = at === 1;
  }

  get expected(): Expected {
    return { name: this.name, spec: this.#spec, contents: this.#contents };
  }

  next(): Wish {
    for (const kind of FILE_KINDS) if (this.#contents[kind] === undefined) return this.#keep('create', kind);
    if (this.#spec === undefined) return this.#apply('create');
    const dice = this.#random.next();
    if (dice < 0.12) return this.#remove();
    if (dice < 0.35 && !this.#isGlobal) return this.#scale(this.#spec.change);
    if (dice < 0.47) return this.#keep('rotate', 'secret');
    if (dice < 0.57) return this.#keep('rotate', 'config');
    if (dice < 0.62) return this.#prune();
    return this.#apply('update');
  }

  /** Creates or rotates its secret or its config. */
  #keep(how: 'create' | 'rotate', kind: FileKind): Wish {
    this.#changes += 1;
    const text = `${kind === 'secret' ? SECRET_MARK : 'to be read'} ${this.name} ${this.#changes}`;
    const name = fileName(this.name, kind);
    const content = new TextEncoder().encode(text);
    return {
      what: `${how} ${kind} ${name}`,
      command: async (cluster, options) => {
        const files = kind === 'secret' ? cluster.secrets : cluster.configs;
        if (how === 'create') await files.create({ name }, content, options);
        else await files.rotate(name, content, options);
        return { unchanged: false };
      },
      onDone: () => {
        this.#contents[kind] = text;
      },
    };
  }

  /** Has older revisions of its secret forgotten that nobody needs any more. */
  #prune(): Wish {
    const name = fileName(this.name, 'secret');
    return {
      what: `prune secret ${name}`,
      command: async (cluster, options) => {
        const pruned = await cluster.secrets.prune(name, options);
        return { unchanged: pruned.length === 0 };
      },
      onDone: () => {},
    };
  }

  #remove(): Wish {
    const { name } = this;
    return removal(name, () => {
      this.#spec = undefined;
    });
  }

  #scale(change: string): Wish {
    const { name } = this;
    const replicas = this.#random.between(0, 6);
    return {
      what: `scale ${name} to ${replicas}`,
      command: async (cluster, options) => {
        const { action } = await cluster.services.scale(name, replicas, options);
        return { unchanged: action === 'unchanged' };
      },
      onDone: () => {
        this.#spec = { replicas, change };
      },
    };
  }

  #apply(how: 'create' | 'update'): Wish {
    const { name } = this;
    const spec = this.#nextSpec();
    const expected = { replicas: spec.replicas, change: String(this.#changes) };
    return {
      what: `${how} service ${name} with ${spec.task.image}, ${spec.replicas ?? 'one on each node'}`,
      command: async (cluster, options) => {
        const { action } =
          how === 'create'
            ? await cluster.services.create(spec, options)
            : await cluster.services.update(name, spec, options);
        return { unchanged: action === 'unchanged' };
      },
      onDone: () => {
        this.#spec = expected;
      },
    };
  }

  #nextSpec(): ServiceSpecInput {
    const random = this.#random;
    this.#changes += 1;
    for (const kind of FILE_KINDS) {
      if (!random.chance(0.3)) continue;
      if (this.#used.has(kind)) this.#used.delete(kind);
      else this.#used.add(kind);
    }
    const replicas = random.between(1, 6);
    const isPlaced = random.chance(0.4);
    const maxReplicasPerNode = !isPlaced && random.chance(0.4) ? 2 : 0;
    const references = (kind: FileKind) =>
      this.#used.has(kind) ? [{ name: fileName(this.name, kind) }] : [];
    return {
      name: this.name,
      ...(this.#isGlobal ? { mode: 'global' } : { replicas }),
      ...(this.#priority === undefined ? {} : { priority: this.#priority }),
      update: { parallelism: random.between(0, 2) },
      task: {
        image: random.pick(SERVICE_IMAGE_NAMES) ?? 'steady',
        env: { CHANGE: String(this.#changes) },
        stopGraceMs: 2_000,
        secrets: references('secret'),
        configs: references('config'),
        restart: { delayMs: random.pick([0, 500, 5_000]) ?? 500, maxDelayMs: 20_000 },
        resources: { reservations: { cpus: random.pick([0.1, 0.25]) ?? 0.1 } },
        placement: {
          constraints: isPlaced ? ['node.labels.zone==a'] : [],
          maxReplicasPerNode,
        },
      },
    };
  }
}

/** The wish that a service be removed. */
export function removal(name: string, onDone: () => void): Wish {
  return {
    what: `remove service ${name}`,
    command: async (cluster, options) => {
      await cluster.services.remove(name, options);
      return { unchanged: false };
    },
    onDone,
  };
}

/** The name of a user's secret or config. */
export function fileName(user: string, kind: FileKind): string {
  return kind === 'secret' ? `${user}-key` : `${user}-settings`;
}
