/**
 * Commands on a manager that does not lead: they go to the one that does, through a port, and come back once this
 * member holds what they did. A command is carried out once, under its id, however often leadership changes meanwhile.
 */

import { InvalidSpecError, OutcomeUnknownError, UnavailableError, VersionConflictError } from '../errors.ts';
import { findService } from '../manager/api/find.ts';
import { type CommandId, newId } from '../model/ids.ts';
import type { ServiceSpec } from '../model/service-spec.ts';
import { withDeadline } from '../runtime/abort.ts';
import { sleep } from '../runtime/clock.ts';
import type { CommandOptions, Control, VersionedCommandOptions } from './control.ts';

/** A command as it goes to the leader: plain data. */
export interface CommandRequest {
  /** Which collection of the cluster, and which of its methods: `services`, `create`. */
  readonly collection: string;
  readonly method: string;
  /** What the method takes before its options. */
  readonly args: readonly unknown[];
  /** Its options, without the signal and the time-out, which stay with the caller. */
  readonly options: Readonly<Record<string, unknown>> & { readonly commandId: string };
}

/** What the leader answers. */
export interface CommandResponse {
  readonly result: unknown;
  /** Index of a state that holds what was done. */
  readonly index: number;
}

/** The way to the leader. */
export interface CommandForwarder {
  /**
   * Has the leader carry a command out.
   *
   * @throws the command's own error; UnavailableError `not-leader` when it certainly was not carried out, and
   *   OutcomeUnknownError when nobody knows: it is sent again then, under the same id.
   */
  forward(request: CommandRequest, signal: AbortSignal): Promise<CommandResponse>;
}

/** The commands of each collection, with how many arguments come before the options. */
export const COMMANDS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  services: {
    create: 1,
    update: 2,
    scale: 2,
    apply: 1,
    remove: 1,
    forceUpdate: 1,
    rollback: 1,
    promote: 1,
    abort: 1,
    pauseUpdate: 1,
    resumeUpdate: 1,
  },
  nodes: { join: 1, update: 2, drain: 1, pause: 1, activate: 1, promote: 1, demote: 1, remove: 1 },
  networks: { create: 1, apply: 1, update: 2, remove: 1 },
  secrets: { create: 2, apply: 2, update: 2, rotate: 2, prune: 1, remove: 1 },
  configs: { create: 2, apply: 2, update: 2, rotate: 2, prune: 1, remove: 1 },
  records: { replace: 3 },
  rebalance: { start: 1, stop: 0 },
  settings: { update: 1 },
  volumes: { forget: 1 },
};

/** Before a command that nobody could take is sent again, milliseconds. */
const AGAIN_MS = 25;

/** Carries out one command of a collection here. */
type CarryOut = (method: string, args: readonly unknown[], options: CommandOptions) => Promise<unknown>;

/** A collection whose commands go to the leader when it is another member; all else stays as it is. */
export function forwarding<T extends object>(
  collection: string,
  target: T,
  control: Control,
  forwarder: CommandForwarder,
): T {
  const arities = COMMANDS[collection] ?? {};
  const here: CarryOut = (method, args, options) => callOn(target, method, [...args, options]);
  return new Proxy(target, {
    get(_, name) {
      const member = Reflect.get(target, name, target) as unknown;
      if (typeof member !== 'function') return member;
      const arity = typeof name === 'string' && Object.hasOwn(arities, name) ? arities[name] : undefined;
      if (arity === undefined) return member.bind(target);
      return (...given: readonly unknown[]) =>
        route({
          control,
          forwarder,
          here,
          request: { collection, method: String(name) },
          args: given.slice(0, arity),
          options: (given[arity] ?? {}) as CommandOptions,
        });
    },
  });
}

/** @throws InvalidSpecError if there is no such command, or it was given something else than it takes. */
export function checkCommand({ collection, method, args }: CommandRequest): void {
  const arities = Object.hasOwn(COMMANDS, collection) ? COMMANDS[collection] : undefined;
  const arity = arities && Object.hasOwn(arities, method) ? arities[method] : undefined;
  if (arity === undefined || args.length > arity) {
    throw new InvalidSpecError([{ field: 'command', rule: `there is no command ${collection}.${method}` }]);
  }
}

/** Calls a method by its name, which was checked. */
export async function callOn(target: object, method: string, args: readonly unknown[]): Promise<unknown> {
  const run = Reflect.get(target, method, target) as (...given: readonly unknown[]) => unknown;
  return run.apply(target, [...args]);
}

interface Routed {
  readonly control: Control;
  readonly forwarder: CommandForwarder;
  readonly here: CarryOut;
  readonly request: { readonly collection: string; readonly method: string };
  readonly args: readonly unknown[];
  readonly options: CommandOptions;
}

async function route({ control, forwarder, here, request, args, options }: Routed): Promise<unknown> {
  const { signal, timeout, ...rest } = options;
  const commandId = options.commandId ?? newId<CommandId>(control.random);
  const what = `${request.method} of ${request.collection}`;
  let isUnknown = false;
  const waiting = { ...(signal ? { signal } : {}), ...(timeout === undefined ? {} : { timeout }) };
  const run = async (ended: AbortSignal): Promise<unknown> => {
    for (;;) {
      control.assertTakes();
      try {
        if (control.manager.leading)
          return await here(request.method, args, { ...rest, commandId, signal: ended });
        const plain = plainArgs(control, args);
        const response = await forwarder.forward(
          { ...request, args: plain.args, options: { ...plain.options, ...rest, commandId } },
          ended,
        );
        await control.until(what, { signal: ended }, ({ index }) => index >= response.index || undefined);
        return response.result;
      } catch (error) {
        if (error instanceof OutcomeUnknownError) isUnknown = true;
        else if (!isPassing(error) && !isOvertaken(error, args, options)) throw error;
      }
      await sleep(control.clock, AGAIN_MS, ended);
    }
  };
  try {
    return await withDeadline(control.clock, waiting, what, run, { lifetime: control.lifetime });
  } catch (error) {
    const gaveUp = isUnknown && (error as { readonly code?: unknown }).code !== 'CLOSED';
    throw gaveUp ? new OutcomeUnknownError(commandId, `gave up waiting for the answer to ${what}`) : error;
  }
}

/** Another member is to be asked, or nobody leads just now; `busy` is also whoever is handing leadership over. */
function isPassing(error: unknown): boolean {
  return error instanceof UnavailableError && PASSING.has(error.reason);
}

const PASSING: ReadonlySet<string> = new Set(['not-leader', 'fenced', 'busy']);

/** An update by a function was made from what is not the newest any more: it is made again. */
function isOvertaken(error: unknown, args: readonly unknown[], options: VersionedCommandOptions): boolean {
  return (
    error instanceof VersionConflictError && options.version === undefined && typeof args[1] === 'function'
  );
}

/** A function can't travel: it is applied to the spec as it is here, and sent with the version that it was made from. */
function plainArgs(
  control: Control,
  args: readonly unknown[],
): { readonly args: readonly unknown[]; readonly options: { readonly version?: number } } {
  const [ref, update, ...others] = args;
  if (typeof update !== 'function' || typeof ref !== 'string') return { args, options: {} };
  const service = findService(control.state, ref);
  const spec = (update as (current: ServiceSpec) => unknown)(service.spec);
  return { args: [ref, spec, ...others], options: { version: service.version } };
}
