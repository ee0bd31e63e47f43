/**
 * One user of the simulated cluster, with a service, a secret and a config of its own: what it asks for next, and what
 * must be there once it was told that it is.
 */

import type { ServiceSpecInput } from '@skep/core';
import type { RandomStream } from '@skep/raft/simulator';
import type { Expected, FileKind, Wish } from './any-user.ts';
import { SERVICE_IMAGE_NAMES } from './plan.ts';
import { ServiceOwner } from './service-owner.ts';

/** No secret value is without it, so that a trace or a log line can be searched for it. */
export const SECRET_MARK = 'not-for-your-eyes';

const FILE_KINDS: readonly FileKind[] = ['secret', 'config'];

/** A user with a service that runs on. */
export class User extends ServiceOwner {
  readonly #priority: number | undefined;
  readonly #contents: Partial<Record<FileKind, string>> = {};
  /** Which of its files its service uses. */
  readonly #used = new Set<FileKind>();

  /** @param priority - of its service. */
  constructor(at: number, random: RandomStream, priority?: number) {
    super('web', at, random);
    this.#priority = priority;
  }

  override get expected(): Expected {
    return { ...super.expected, contents: this.#contents };
  }

  next(): Wish {
    for (const kind of FILE_KINDS) if (this.#contents[kind] === undefined) return this.#keep('create', kind);
    if (this.spec === undefined) return this.#apply('create');
    const dice = this.random.next();
    if (dice < 0.12) return this.removing();
    if (dice < 0.35 && !this.isGlobal) return this.#scale(this.spec.change);
    if (dice < 0.47) return this.#keep('rotate', 'secret');
    if (dice < 0.57) return this.#keep('rotate', 'config');
    if (dice < 0.62) return this.#prune();
    return this.#apply('update');
  }

  /** Creates or rotates its secret or its config. */
  #keep(how: 'create' | 'rotate', kind: FileKind): Wish {
    this.changes += 1;
    const text = `${kind === 'secret' ? SECRET_MARK : 'to be read'} ${this.name} ${this.changes}`;
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

  #scale(change: string): Wish {
    const replicas = this.random.between(0, 6);
    return this.scaling(replicas, { replicas, change });
  }

  #apply(how: 'create' | 'update'): Wish {
    const spec = this.#nextSpec();
    return this.asking(how, spec, { replicas: spec.replicas, change: String(this.changes) });
  }

  #nextSpec(): ServiceSpecInput {
    const random = this.random;
    this.changes += 1;
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
      ...(this.isGlobal ? { mode: 'global' } : { replicas }),
      ...(this.#priority === undefined ? {} : { priority: this.#priority }),
      update: { parallelism: random.between(0, 2) },
      task: {
        image: random.pick(SERVICE_IMAGE_NAMES) ?? 'steady',
        env: { CHANGE: String(this.changes) },
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

/** The name of a user's secret or config. */
export function fileName(user: string, kind: FileKind): string {
  return kind === 'secret' ? `${user}-key` : `${user}-settings`;
}
