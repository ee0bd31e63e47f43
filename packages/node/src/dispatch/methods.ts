/**
 * What agents ask of the dispatcher. A node is who its certificate says: no request names one, so that a node can open
 * no session but its own, and gets no assignments but its own.
 */

import { DESIRED_STATES, type NodeDescription, type TaskId } from '@skep/core';
import {
  type AssignmentsMessage,
  asId,
  checkDescription,
  type EndpointsMessage,
  type SessionId,
  type SessionMessage,
  type StatusReport,
} from '@skep/core/member';
import * as z from 'zod';
import { NodeError } from '../errors.ts';
import { type Decoder, decodedBy, type Method, nothing, undecoded } from '../rpc/method.ts';
import { type WorkerAsk, workerAsk } from './worker-ask.ts';

const EVERY_NODE = ['manager', 'worker'] as const;
/** Longest message with assignments, in bytes. They are sent in parts, so that only one very large task comes near. */
const ASSIGNMENTS_BYTES_MAX = 32 * 1024 * 1024;
/** Leaving waits for other nodes to confirm, in ms. */
const LEAVE_MS = 60_000;
/** A report waits for a commit, in ms. */
const REPORT_MS = 15_000;

const sessionId = z
  .string()
  .min(1)
  .max(256)
  .transform((text) => asId<SessionId>(text));

const description = z.unknown().transform((value, context): NodeDescription => {
  try {
    return checkDescription(value);
  } catch (error) {
    context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) });
    return z.NEVER;
  }
});

const taskId = z
  .string()
  .max(256)
  .transform((text) => asId<TaskId>(text));

/** What an agent may know from sessions before; more than any node runs. */
const KNOWN_MAX = 100_000;
const known = z.object({
  tasks: z
    .array(
      z.object({
        id: taskId,
        desiredState: z.enum(DESIRED_STATES),
        held: z.literal(true).exactOptional(),
      }),
    )
    .max(KNOWN_MAX)
    .readonly(),
  files: z
    .array(z.object({ key: z.string(), version: z.string() }))
    .max(KNOWN_MAX)
    .readonly(),
});

const fromAgent = z.discriminatedUnion('kind', [
  /** The first message, and only that. */
  z.object({
    kind: z.literal('open'),
    description,
    address: z.string().min(1).max(300),
    known: known.optional(),
    leaving: z.literal(true).optional(),
  }),
  z.object({ kind: z.literal('heartbeat') }),
  /** A call that the agent can't answer over a stream of its own, and why. */
  z.object({ kind: z.literal('unanswered'), call: z.number().int(), error: z.unknown() }),
]);
/** What an agent says in its session. */
export type FromAgent = z.output<typeof fromAgent>;

/** What the managers say in a session. */
export type ToAgent =
  | { readonly kind: 'opened'; readonly session: SessionId }
  /** The answer to one heartbeat. */
  | { readonly kind: 'heartbeat'; readonly heartbeatMs: number }
  | { readonly kind: 'node'; readonly message: SessionMessage }
  /** Asks the agent to open {@link answerCall} with this number. */
  | { readonly kind: 'call'; readonly call: number; readonly ask: WorkerAsk };

const toAgent = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('opened'), session: sessionId }),
  z.object({ kind: z.literal('heartbeat'), heartbeatMs: z.number().positive() }),
  // Objects of the state are passed on as they are: managers are who tells what they look like.
  z.object({ kind: z.literal('node'), message: z.custom<SessionMessage>(isRecord, 'must be an object') }),
  z.object({ kind: z.literal('call'), call: z.number().int(), ask: workerAsk }),
]);

/** A session, from its opening to its end: heartbeats one way, what concerns the node and its tasks the other. */
export const openSession: Method<'duplex', FromAgent, ToAgent> = {
  name: 'dispatcher.session',
  kind: 'duplex',
  callers: EVERY_NODE,
  answeredBy: 'leader',
  request: decodedBy(fromAgent),
  response: decodedBy<ToAgent>(toAgent),
};

/** A piece of an assignments message; it counts once the piece that says `last` has come. */
export interface AssignmentsPart {
  readonly message: AssignmentsMessage;
  readonly last: boolean;
}

const inSession = z.object({ session: sessionId });
/** Names the caller's session. */
export type InSession = z.output<typeof inSession>;

/** What the caller should run: all of it first, or what it lacks if it said what it knows; then what changes. */
export const followAssignments: Method<'server-stream', InSession, AssignmentsPart> = {
  name: 'dispatcher.assignments',
  kind: 'server-stream',
  callers: EVERY_NODE,
  answeredBy: 'leader',
  request: decodedBy(inSession),
  response: assignmentsPart(),
  messageBytesMax: ASSIGNMENTS_BYTES_MAX,
};

/** Who may receive traffic: all endpoints first, then what changes. For a node that has an endpoint feed. */
export const followEndpoints: Method<'server-stream', InSession, EndpointsMessage> = {
  name: 'dispatcher.endpoints',
  kind: 'server-stream',
  callers: EVERY_NODE,
  answeredBy: 'leader',
  request: decodedBy(inSession),
  response: endpointsMessage(),
  messageBytesMax: ASSIGNMENTS_BYTES_MAX,
};

const confirmation = inSession.extend({ index: z.number().int().min(0) });

/** The caller has taken in all endpoints up to an index. */
export const confirmEndpoints: Method<'unary', z.output<typeof confirmation>, undefined> = {
  name: 'dispatcher.confirm',
  kind: 'unary',
  callers: EVERY_NODE,
  answeredBy: 'leader',
  request: decodedBy(confirmation),
  response: nothing,
};

/** The caller's agent is about to stop its tasks and go. Answered once they may be stopped. */
export const leave: Method<'unary', InSession, undefined> = {
  name: 'dispatcher.leave',
  kind: 'unary',
  callers: EVERY_NODE,
  answeredBy: 'leader',
  request: decodedBy(inSession),
  response: nothing,
  deadlineMs: LEAVE_MS,
};

const report = z.object({
  session: sessionId,
  // Each status is checked by the dispatcher, so that one that is none costs only itself.
  reports: z.array(z.custom<StatusReport>(isReport, 'must be a report')).max(10_000),
});

/** The newest statuses of the caller's tasks. Answered once they are committed. */
export const reportStatuses: Method<'unary', z.output<typeof report>, undefined> = {
  name: 'dispatcher.report',
  kind: 'unary',
  callers: EVERY_NODE,
  answeredBy: 'leader',
  request: decodedBy(report),
  response: nothing,
  deadlineMs: REPORT_MS,
  messageBytesMax: ASSIGNMENTS_BYTES_MAX,
};

const fromAnswerer = z.discriminatedUnion('kind', [
  /** The first message, and only that. */
  z.object({ kind: z.literal('begin'), session: sessionId, call: z.number().int() }),
  z.object({ kind: z.literal('value'), value: z.unknown() }),
  /** How it went wrong, as an error on the wire. The last message. */
  z.object({ kind: z.literal('error'), error: z.unknown() }),
]);
/** What an agent says to answer a call. */
export type FromAnswerer = z.output<typeof fromAnswerer>;

/**
 * The agent answers what it was asked in its session: what the driver gives goes one way, what the asker puts in the
 * other. Each has a stream of its own, so that a slow reader of one holds up nothing else.
 */
export const answerCall: Method<'duplex', FromAnswerer, unknown> = {
  name: 'dispatcher.answer',
  kind: 'duplex',
  callers: EVERY_NODE,
  answeredBy: 'leader',
  request: decodedBy(fromAnswerer),
  response: undecoded,
};

function isRecord(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}

function isReport(value: unknown): boolean {
  return isRecord(value) && typeof (value as Partial<StatusReport>).id === 'string';
}

function endpointsMessage(): Decoder<EndpointsMessage> {
  const index = z.number().int().min(0);
  const endpoints = z.array(z.looseObject({ taskId: z.string(), serviceId: z.string() }));
  const rows = z.array(z.looseObject({ id: z.string() }));
  const clients = z.array(z.looseObject({ taskId: z.string(), serviceId: z.string() }));
  const told = <T extends z.ZodType>(set: T) => z.object({ set, removed: z.array(z.string()) }).optional();
  const shape = z.discriminatedUnion('kind', [
    z.object({
      ...{ kind: z.literal('complete'), index, endpoints, clients },
      ...{ services: rows, networks: rows, nodes: rows },
    }),
    z.object({
      ...{ kind: z.literal('incremental'), index, joined: endpoints, left: z.array(z.string()) },
      ...{ services: told(rows), networks: told(rows), nodes: told(rows), clients: told(clients) },
    }),
  ]);
  return (value) => {
    if (!shape.safeParse(value).success) throw new NodeError('MALFORMED', 'a message is no endpoints');
    return value as EndpointsMessage;
  };
}

function assignmentsPart(): Decoder<AssignmentsPart> {
  const shape = z.object({
    message: z.looseObject({ kind: z.enum(['complete', 'incremental']) }),
    last: z.boolean(),
  });
  return (value) => {
    if (!shape.safeParse(value).success) throw new NodeError('MALFORMED', 'a message is no assignments');
    return value as AssignmentsPart;
  };
}
