/** Looks on as files are sent to agents: a secret may only be where a task refers to it that was sent there too. */

import type { AssignedFile, AssignedTask, AssignmentsMessage, DispatcherPort } from '@skep/core/member';
import { type Tally, Violation } from '@skep/raft/simulator';

/** The port, looked at on its way to the agent of `worker`. */
export function watchSecrets(
  port: DispatcherPort,
  worker: string,
  tally: Tally,
  fail: (violation: unknown) => void,
): DispatcherPort {
  return {
    async openSession(request, signal) {
      const session = await port.openSession(request, signal);
      const assignments = {
        async *[Symbol.asyncIterator]() {
          const held = new Held(worker);
          for await (const message of session.assignments) {
            try {
              tally.add('secrets sent', held.take(message));
            } catch (error) {
              fail(error);
            }
            yield message;
          }
        },
      };
      return { ...session, assignments };
    },
    heartbeat: (node, session) => port.heartbeat(node, session),
    reportStatus: (node, session, reports) => port.reportStatus(node, session, reports),
    confirmEndpoints: (node, session, index) => port.confirmEndpoints(node, session, index),
    leave: (node, session) => port.leave(node, session),
    closeSession: (node, session) => port.closeSession(node, session),
  };
}

/** What an agent holds in one session. */
class Held {
  readonly #worker: string;
  readonly #tasks = new Map<string, AssignedTask>();
  readonly #files = new Set<string>();

  constructor(worker: string) {
    this.#worker = worker;
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
