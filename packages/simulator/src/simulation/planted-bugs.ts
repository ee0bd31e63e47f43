/** Bugs to plant, each of which the simulation has to notice: what it can't notice it doesn't check. */

import { OutcomeUnknownError } from '@skep/core';
import { type AssignedFile, type AssignedTask, SessionError } from '@skep/core/member';
import {
  bound,
  type Event,
  ending,
  opening,
  rewriting,
  rewritingAll,
  skipping,
  type Transaction,
  withMessages,
} from './planted-parts.ts';
import type { SimulationRequest } from './simulate.ts';

/** A bug, as a wrong part of a cluster. */
export interface PlantedBug {
  readonly name: string;
  /** What is said of the rule that it breaks. */
  readonly breaks: RegExp;
  /** Makes the part, anew for each simulation. */
  readonly plant: () => NonNullable<SimulationRequest['bug']>;
}

/** The bugs. */
export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    name: 'a manager takes a command that it lost on the way for carried out',
    breaks: /was acknowledged by .*, and the log does not have it/,
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
    breaks: /was assigned to node .*, which /,
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
    name: 'the scheduler forgets for whom it makes room',
    breaks: /for which its room is not kept/,
    plant: () => rewriting((event) => (event.type === 'task.nominated' ? { ...event, rows: [] } : event)),
  },
  {
    name: 'the orchestrator fills two slots in one',
    breaks: /has \d+ tasks that are meant to run/,
    plant: () =>
      rewriting((event) =>
        event.type === 'task.created'
          ? { ...event, rows: event.rows.map((row) => (row.slot === 2 ? { ...row, slot: 1 } : row)) }
          : event,
      ),
  },
  {
    name: 'the orchestrator forgets to want the end of tasks',
    breaks: /not as asked for|nobody wants it|meant to run/,
    plant: () =>
      rewriting((event) =>
        event.type === 'task.desired' && event.state === 'shutdown' ? { ...event, ids: [] } : event,
      ),
  },
  {
    name: 'a manager skips a transaction when it starts again',
    breaks: /holds another state than the log tells|could not go on/,
    plant: () => ({
      wrapLog: (log, manager) =>
        manager === 'manager-1' ? opening(log, (machine) => skipping(machine)) : log,
    }),
  },
  {
    name: 'the dispatcher sends secrets that no task there refers to',
    breaks: /to which no task there refers/,
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
    breaks: /not as asked for/,
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
    breaks: /was told to stop while .* sends it traffic/,
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
    breaks: /not as asked for/,
    plant: () => ({
      wrapDispatcher: (port) => ({ ...bound(port), reportStatus: () => Promise.resolve() }),
    }),
  },
  {
    name: 'the dispatcher takes a report that comes late for the newest',
    breaks: /was observed \w+ after it was \w+/,
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
    breaks: /belongs to node/,
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
    breaks: /has an older revision of secret/,
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
    breaks: /the status of task .* tells a secret/,
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
    breaks: /was carried out twice|the log does not have it/,
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
    breaks: /could not go on/,
    plant: () => ({
      wrapLog: (log, manager) => (manager === 'manager-1' ? opening(log, (machine) => ending(machine)) : log),
    }),
  },
  {
    name: 'the dispatcher tells a secret in an error, which agents log',
    breaks: /logged a secret/,
    plant: () => {
      let secret: string | undefined;
      return {
        wrapDispatcher: (port) => ({
          ...withMessages(port, (message) => {
            const files = message.kind === 'complete' ? message.files : message.updateFiles;
            const found = files.find(({ file }) => file.kind === 'secret');
            if (found) secret = new TextDecoder().decode(found.file.data);
            return message;
          }),
          heartbeat: async (node, session) => {
            if (secret === undefined) return port.heartbeat(node, session);
            const told = secret;
            secret = undefined;
            throw new SessionError('unavailable', `what to do with ${told}?`);
          },
        }),
      };
    },
  },
  {
    name: 'the dispatcher takes what an agent knows for all that it should',
    breaks: /not as asked for/,
    plant: () => ({
      wrapDispatcher: (port) => ({
        ...bound(port),
        async openSession(request, signal) {
          const session = await port.openSession(request, signal);
          if (request.known === undefined) return session;
          return {
            ...session,
            assignments: {
              async *[Symbol.asyncIterator]() {
                let isFirst = true;
                for await (const message of session.assignments) {
                  if (!isFirst) yield message;
                  isFirst = false;
                }
              },
            },
          };
        },
      }),
    }),
  },
  {
    name: 'the autoscaler forgets how many tasks there may be',
    breaks: /is to have \d+ tasks, and \d+ to \d+ are allowed/,
    plant: () =>
      rewriting((event) => (event.type === 'service.autoscaled' ? { ...event, to: event.to + 3 } : event)),
  },
  {
    name: 'a manager forgets to have a job done again',
    breaks: /was done \d+ times, and asked for \d+ times/,
    plant: () =>
      rewriting((event) => {
        if (event.type !== 'service.updated') return event;
        const { beginsRun: _, ...others } = event;
        return others;
      }),
  },
  {
    name: 'the orchestrator does not see that a part of a job is done',
    breaks: /was made for what task .* of the same run has completed/,
    plant: () => {
      const slots = new Map<string, { readonly slot: number; readonly iteration: number }>();
      let done: { readonly slot: number; readonly iteration: number } | undefined;
      return rewriting((event) => {
        if (event.type === 'task.status') {
          for (const { id, status } of event.rows)
            if (status.state === 'complete') done = slots.get(id) ?? done;
        }
        if (event.type !== 'task.created') return event;
        const rows = event.rows.map((row) => {
          if (row.jobIteration === undefined || row.slot === 0) return row;
          const slot = done?.iteration === row.jobIteration ? done.slot : row.slot;
          slots.set(row.id, { slot, iteration: row.jobIteration });
          return { ...row, slot };
        });
        return { ...event, rows };
      });
    },
  },
];
