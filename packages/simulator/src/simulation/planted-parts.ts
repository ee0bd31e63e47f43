/** What planted bugs are made of: logs, machines and dispatchers that do something else than they should. */

import type { EventLog, LogStateMachine } from '@skep/core/log';
import type { AssignmentsMessage, DispatcherPort } from '@skep/core/member';
import { decodeTransaction, encodeTransaction } from '@skep/core/testing';
import type { SimulationRequest } from './simulate.ts';

export type Transaction = ReturnType<typeof decodeTransaction>;
export type Event = Transaction['events'][number];
type Bug = NonNullable<SimulationRequest['bug']>;

/** A log to which each event is appended as the bug has it. */
export function rewriting(change: (event: Event) => Event | readonly Event[]): Bug {
  return {
    wrapLog: (log) =>
      rewritingAll(log, (transaction) => ({ ...transaction, events: transaction.events.flatMap(change) })),
  };
}

/** A log to which each transaction is appended as the bug has it. */
export function rewritingAll(log: EventLog, change: (transaction: Transaction) => Transaction): EventLog {
  return replacing(log, 'append', (append) => {
    const payload = encodeTransaction(change(decodeTransaction(append.payload)));
    return log.append({ ...append, payload });
  });
}

/** A log that another machine is opened on. */
export function opening(log: EventLog, wrap: (machine: LogStateMachine) => LogStateMachine): EventLog {
  return replacing(log, 'open', (machine) => log.open(wrap(machine)));
}

/** Leaves out the thirtieth entry that it is given. */
export function skipping(machine: LogStateMachine): LogStateMachine {
  return atThirtieth(machine, () => {});
}

/** Fails at the thirtieth. */
export function ending(machine: LogStateMachine): LogStateMachine {
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

/** A dispatcher whose assignments are what the bug makes of them. */
export function withMessages(
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

/** The port, so that some of it can be replaced. */
export function bound(port: DispatcherPort): DispatcherPort {
  return {
    openSession: (request, signal) => port.openSession(request, signal),
    heartbeat: (node, session) => port.heartbeat(node, session),
    reportStatus: (node, session, reports) => port.reportStatus(node, session, reports),
    confirmEndpoints: (node, session, index) => port.confirmEndpoints(node, session, index),
    leave: (node, session) => port.leave(node, session),
    closeSession: (node, session) => port.closeSession(node, session),
  };
}
