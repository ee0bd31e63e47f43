/** Bugs to plant, each of which the simulation has to notice: what it can't notice it doesn't check. */

import { OutcomeUnknownError } from '@skep/core';
import type { EventLog, LogStateMachine } from '@skep/core/log';
import type { AssignedFile, AssignedTask, AssignmentsMessage, DispatcherPort } from '@skep/core/member';
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
      const files = new Map<string, AssignedFile>();
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
    name: 'the dispatcher does not tell agents to wait until nobody sends a task traffic any more',
    plant: () => ({
      wrapDispatcher: (port) =>
        withMessages(port, (message) => {
          const released = (tasks: readonly AssignedTask[]) => tasks.map(({ held: _, ...task }) => task);
          return message.kind === 'complete'
            ? { ...message, tasks: released(message.tasks) }
            : { ...message, update: released(message.update) };
        }),
    }),
  },
  {
    name: 'the dispatcher acknowledges reports that it drops',
    plant: () => ({
      wrapDispatcher: (port) => ({ ...bound(port), reportStatus: () => Promise.resolve() }),
    }),
  },
  {
    name: 'the dispatcher takes a report that comes late for the newest',
    plant: () => {
      const told = new Map<string, Extract<Event, { type: 'task.status' }>['rows'][number][]>();
      return rewriting((event) => {
        if (event.type !== 'task.status') return event;
        const rows = event.rows.map((row) => {
          const before = told.get(row.id) ?? [];
          told.set(row.id, [...before, row]);
          return (before.length === 2 ? before[0] : undefined) ?? row;
        });
        return { ...event, rows };
      });
    },
  },
  {
    name: 'the dispatcher gives a task to a second node as well',
    plant: () => {
      const given = new Map<string, AssignedTask>();
      return {
        wrapDispatcher: (port) =>
          withMessages(port, (message) => {
            const others = [...given.values()].slice(0, 1);
            const own = message.kind === 'complete' ? message.tasks : message.update;
            for (const each of own) given.set(each.task.id, each);
            return message.kind === 'complete'
              ? { ...message, tasks: [...message.tasks, ...others] }
              : { ...message, update: [...message.update, ...others] };
          }),
      };
    },
  },
  {
    name: 'the dispatcher sends the first value of a secret whatever became of it',
    plant: () => {
      const first = new Map<string, Uint8Array>();
      const old = (each: AssignedFile): AssignedFile => {
        const { name, data } = each.file;
        first.set(name, first.get(name) ?? data);
        return { ...each, file: { ...each.file, data: first.get(name) ?? data } };
      };
      return {
        wrapDispatcher: (port) =>
          withMessages(port, (message) =>
            message.kind === 'complete'
              ? { ...message, files: message.files.map(old) }
              : { ...message, updateFiles: message.updateFiles.map(old) },
          ),
      };
    },
  },
  {
    name: 'agents tell the secrets of their tasks in what they report',
    plant: () => {
      let secret = '';
      return {
        wrapDispatcher: (port) => ({
          ...withMessages(port, (message) => {
            const files = message.kind === 'complete' ? message.files : message.updateFiles;
            const found = files.find(({ file }) => file.kind === 'secret');
            if (found) secret = new TextDecoder().decode(found.file.data);
            return message;
          }),
          reportStatus: (node, session, reports) => {
            const told = reports.map((each) => ({ ...each, status: { ...each.status, message: secret } }));
            return port.reportStatus(node, session, told);
          },
        }),
      };
    },
  },
  {
    name: 'a command is kept under the id of the one before it',
    plant: () => {
      let last: Transaction['commandId'];
      return {
        wrapLog: (log) =>
          rewritingAll(log, (transaction) => {
            const { commandId } = transaction;
            if (commandId === undefined) return transaction;
            const changed = last === undefined ? transaction : { ...transaction, commandId: last };
            last = commandId;
            return changed;
          }),
      };
    },
  },
  {
    name: 'a manager comes to an end over a transaction',
    plant: () => ({
      wrapLog: (log, manager) => (manager === 'manager-1' ? opening(log, (machine) => ending(machine)) : log),
    }),
  },
];

/** A log to which each event is appended as the bug has it. */
function rewriting(change: (event: Event) => Event): NonNullable<SimulationRequest['bug']> {
  return {
    wrapLog: (log) =>
      rewritingAll(log, (transaction) => ({ ...transaction, events: transaction.events.map(change) })),
  };
}

function rewritingAll(log: EventLog, change: (transaction: Transaction) => Transaction): EventLog {
  return replacing(log, 'append', (append) => {
    const payload = encodeTransaction(change(decodeTransaction(append.payload)));
    return log.append({ ...append, payload });
  });
}

function opening(log: EventLog, wrap: (machine: LogStateMachine) => LogStateMachine): EventLog {
  return replacing(log, 'open', (machine) => log.open(wrap(machine)));
}

/** Leaves out the thirtieth entry that it is given. */
function skipping(machine: LogStateMachine): LogStateMachine {
  return atThirtieth(machine, () => {});
}

/** Fails at the thirtieth. */
function ending(machine: LogStateMachine): LogStateMachine {
  return atThirtieth(machine, () => {
    throw new Error('it does not know what to make of this');
  });
}

function atThirtieth(machine: LogStateMachine, happen: () => void): LogStateMachine {
  let count = 0;
  return {
    apply: (entry) => {
      count += 1;
      if (count === 30) happen();
      else machine.apply(entry);
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
