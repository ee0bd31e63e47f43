/** Looks on as files are sent to agents: a secret may only be where a task refers to it that was sent there too. */

import type {
  AssignedFile,
  AssignedTask,
  AssignmentsMessage,
  DispatcherPort,
  KnownAssignments,
} from '@skep/core/member';
import { type Tally, Violation } from '@skep/raft/simulator';

/** Knows which secrets each agent holds. */
export class SecretWatch {
  readonly #tally: Tally;
  readonly #fail: (violation: unknown) => void;
  readonly #held = new Map<string, Held>();

  /** @param fail - is told of what may not be */
  constructor(tally: Tally, fail: (violation: unknown) => void) {
    this.#tally = tally;
    this.#fail = fail;
  }

  /** The port, looked at on its way to the agent of `worker`. */
  watched(port: DispatcherPort, worker: string): DispatcherPort {
    return {
      openSession: async (request, signal) => {
        const session = await port.openSession(request, signal);
        const held = this.#resumed(worker, request.known);
        return { ...session, assignments: this.#look(session.assignments, held) };
      },
      heartbeat: (node, session) => port.heartbeat(node, session),
      reportStatus: (node, session, reports) => port.reportStatus(node, session, reports),
      confirmEndpoints: (node, session, index) => port.confirmEndpoints(node, session, index),
      leave: (node, session) => port.leave(node, session),
      closeSession: (node, session) => port.closeSession(node, session),
    };
  }

  async *#look(assignments: AsyncIterable<AssignmentsMessage>, held: Held) {
    for await (const message of assignments) {
      try {
        this.#tally.add(`assignments told: ${message.kind}`);
        this.#tally.add('secrets sent', held.take(message));
      } catch (error) {
        this.#fail(error);
      }
      yield message;
    }
  }

  /** What the agent holds as its session begins. A process that is new holds nothing. */
  #resumed(worker: string, known: KnownAssignments | undefined): Held {
    const held = new Held(worker, known === undefined ? undefined : this.#held.get(worker), known);
    this.#held.set(worker, held);
    return held;
  }
}

/** What an agent holds. */
class Held {
  readonly #worker: string;
  readonly #tasks = new Map<string, AssignedTask>();
  readonly #files = new Set<string>();

  /** @param before - in the session before, of which it knows `known` still */
  constructor(worker: string, before?: Held, known?: KnownAssignments) {
    this.#worker = worker;
    if (before === undefined || known === undefined) return;
    for (const { id } of known.tasks) {
      const task = before.#tasks.get(id);
      if (task !== undefined) this.#tasks.set(id, task);
    }
    for (const { key } of known.files) if (before.#files.has(key)) this.#files.add(key);
  }

  /** How many secrets came with it. @throws Violation */
  take(message: AssignmentsMessage): number {
    const before = this.#files.size;
    if (message.kind === 'complete') {
      this.#tasks.clear();
      this.#files.clear();
      this.#add(message.tasks, message.files);
    } else {
      this.#add(message.update, message.updateFiles);
      for (const id of message.remove) this.#tasks.delete(id);
      for (const key of message.removeFiles) this.#files.delete(key);
    }
    const references = [...this.#tasks.values()].flatMap(({ task }) => task.spec.secrets);
    for (const key of this.#files) {
      const [, name, revision] = key.split('/');
      const isReferredTo = references.some(
        (each) => each.name === name && (each.revision === undefined || String(each.revision) === revision),
      );
      if (!isReferredTo) throw new Violation(`${this.#worker} holds ${key}, to which no task there refers`);
    }
    return Math.max(0, this.#files.size - before);
  }

  #add(tasks: readonly AssignedTask[], files: readonly AssignedFile[]): void {
    for (const each of tasks) this.#tasks.set(each.task.id, each);
    for (const { key } of files) if (key.startsWith('secret/')) this.#files.add(key);
  }
}
