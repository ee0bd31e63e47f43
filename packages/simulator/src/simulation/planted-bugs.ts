/** Bugs to plant, each of which the simulation has to notice: what it can't notice it doesn't check. */

import { OutcomeUnknownError } from '@skep/core';
import type { EventLog, LogStateMachine } from '@skep/core/log';
import type { AssignmentsMessage, DispatcherPort } from '@skep/core/member';
import { decodeTransaction, encodeTransaction } from '@skep/core/testing';
import type { SimulationRequest } from './simulate.ts';

type Transaction = ReturnType<typeof decodeTransaction>;
type Event = Transaction['events'][number];

/** A bug, as a wrong part of a cluster. */
export interface PlantedBug {
  readonly name: string;
  /** Makes the part, anew for each simulation. */
  readonly plant: () => NonNullable<SimulationRequest['bug']>;
}

/** The bugs. */
export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    name: 'a manager takes a command that it lost on the way for carried out',
    plant: () => ({
      wrapForwarder: (forwarder) => ({
        async forward(request, signal) {
          try {
            return await forwarder.forward(request, signal);
          } catch (error) {
            if (!(error instanceof OutcomeUnknownError)) throw error;
            return { result: { id: '', action: 'updated' }, index: 0 };
          }
        },
      }),
    }),
  },
  {
    name: 'the scheduler gives every task to the node that it knows longest',
    plant: () => {
      let first: string | undefined;
      return rewriting((event) => {
        if (event.type === 'node.joined') first ??= event.id;
        if (event.type !== 'task.assigned' || first === undefined) return event;
        const tasks = event.rows.flatMap((row) => row.tasks);
        return { ...event, rows: [{ nodeId: first as (typeof event.rows)[number]['nodeId'], tasks }] };
      });
    },
  },
  {
    name: 'the orchestrator fills two slots in one',
    plant: () =>
      rewriting((event) =>
        event.type === 'task.created'
          ? { ...event, rows: event.rows.map((row) => (row.slot === 2 ? { ...row, slot: 1 } : row)) }
          : event,
      ),
  },
  {
    name: 'the orchestrator forgets to want the end of tasks',
    plant: () =>
      rewriting((event) =>
        event.type === 'task.desired' && event.state === 'shutdown' ? { ...event, ids: [] } : event,
      ),
  },
  {
    name: 'a manager skips a transaction when it starts again',
    plant: () => ({
      wrapLog: (log, manager) =>
        manager === 'manager-1' ? opening(log, (machine) => skipping(machine)) : log,
    }),
  },
  {
    name: 'the dispatcher sends secrets that no task there refers to',
    plant: () => {
      const files = new Map<string, Extract<AssignmentsMessage, { kind: 'complete' }>['files'][number]>();
      return {
        wrapDispatcher: (port) =>
          withMessages(port, (message) => {
            const own = message.kind === 'complete' ? message.files : message.updateFiles;
            for (const file of own) files.set(file.key, file);
            return message.kind === 'complete'
              ? { ...message, files: [...files.values()] }
              : { ...message, updateFiles: [...files.values()] };
          }),
      };
    },
  },
  {
    name: 'the dispatcher does not tell agents of tasks that are removed',
    plant: () => ({
      wrapDispatcher: (port) =>
        withMessages(port, (message) =>
          message.kind === 'complete'
            ? message
            : {
                ...message,
                remove: [],
                update: message.update.filter(
                  ({ task }) => task.desiredState !== 'shutdown' && task.desiredState !== 'remove',
                ),
              },
        ),
    }),
  },
  {
    name: 'the dispatcher acknowledges reports that it drops',
    plant: () => ({
      wrapDispatcher: (port) => ({ ...bound(port), reportStatus: () => Promise.resolve() }),
    }),
  },
];

/** A log to which each event is appended as the bug has it. */
function rewriting(change: (event: Event) => Event): NonNullable<SimulationRequest['bug']> {
  return {
    wrapLog: (log) =>
      replacing(log, 'append', (append) => {
        const transaction = decodeTransaction(append.payload);
        const payload = encodeTransaction({ ...transaction, events: transaction.events.map(change) });
        return log.append({ ...append, payload });
      }),
  };
}

function opening(log: EventLog, wrap: (machine: LogStateMachine) => LogStateMachine): EventLog {
  return replacing(log, 'open', (machine) => log.open(wrap(machine)));
}

/** Leaves out the thirtieth entry that it is given. */
function skipping(machine: LogStateMachine): LogStateMachine {
  let count = 0;
  return {
    apply: (entry) => {
      count += 1;
      if (count !== 30) machine.apply(entry);
    },
    capture: () => machine.capture(),
    restore: (position, chunks) => machine.restore(position, chunks),
  };
}

function replacing<K extends 'append' | 'open'>(log: EventLog, method: K, by: EventLog[K]): EventLog {
  return new Proxy(log, {
    get(target, name) {
      if (name === method) return by;
      const member = Reflect.get(target, name, target) as unknown;
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
}

function withMessages(
  port: DispatcherPort,
  change: (message: AssignmentsMessage) => AssignmentsMessage,
): DispatcherPort {
  return {
    ...bound(port),
    async openSession(request, signal) {
      const session = await port.openSession(request, signal);
      const { assignments } = session;
      return {
        ...session,
        assignments: {
          async *[Symbol.asyncIterator]() {
            for await (const message of assignments) yield change(message);
          },
        },
      };
    },
  };
}

function bound(port: DispatcherPort): DispatcherPort {
  return {
    openSession: (request, signal) => port.openSession(request, signal),
    heartbeat: (node, session) => port.heartbeat(node, session),
    reportStatus: (node, session, reports) => port.reportStatus(node, session, reports),
    confirmEndpoints: (node, session, index) => port.confirmEndpoints(node, session, index),
    leave: (node, session) => port.leave(node, session),
    closeSession: (node, session) => port.closeSession(node, session),
  };
}
