/** What nodes ask of managers to become, to be and to cease to be members. */

import type { ClusterId, NodeId } from '@skep/core';
import * as z from 'zod';
import { decodedBy, type Method, nothing } from '../rpc/method.ts';
import { REQUEST_BYTES_MAX } from '../security/certificate-authority.ts';

const EVERY_NODE = ['manager', 'worker'] as const;
const id = z.string().min(1).max(256);
const role = z.enum(EVERY_NODE);
const clusterId = id.transform((text) => text as ClusterId);
const nodeId = id.transform((text) => text as NodeId);
const address = z.string().min(1).max(300);
const request = z.string().max(REQUEST_BYTES_MAX);

const roots = z.object({ roots: z.string(), now: z.number() });
/** The roots of this cluster, PEM, and the manager's clock. */
export type Roots = z.output<typeof roots>;

/** For whoever may ask: the roots, which a joiner proves by its token. */
export const fetchRoots: Method<'unary', undefined, Roots> = {
  name: 'join.roots',
  kind: 'unary',
  callers: 'anyone',
  answeredBy: 'any',
  request: nothing,
  response: decodedBy(roots),
};

const joinRequest = z.object({
  /** The secret of a join token. */
  secret: z.string().max(100),
  /** The certificate request, PEM. */
  request,
  hostname: z.string().min(1).max(253),
  /** Where the node's ports are reached: a host. */
  address,
  labels: z.record(z.string(), z.string()).default({}),
  availability: z.enum(['active', 'pause', 'drain']).default('active'),
});
/** What a joiner says. */
export type JoinRequest = z.output<typeof joinRequest>;

const issued = z.object({
  nodeId,
  clusterId,
  role,
  /** The certificate and what belongs to it, PEM. */
  chain: z.string(),
  /** All roots to trust, PEM. */
  roots: z.string(),
  /** Addresses of managers. */
  managers: z.array(address),
});
/** A node's certificate. */
export type Issued = z.output<typeof issued>;

/** For whoever has a token: become a node. */
export const joinCluster: Method<'unary', JoinRequest, Issued> = {
  name: 'join.certificate',
  kind: 'unary',
  callers: 'anyone',
  answeredBy: 'leader',
  request: decodedBy(joinRequest),
  response: decodedBy(issued),
};

/** A node's next certificate. Its role is the one that the node is to have by now. */
export const renewCertificate: Method<'unary', { readonly request: string }, Issued> = {
  name: 'membership.renew',
  kind: 'unary',
  callers: EVERY_NODE,
  answeredBy: 'leader',
  request: decodedBy(z.object({ request })),
  response: decodedBy(issued),
};

const news = z.object({
  role,
  roots: z.string(),
  /** The root that signs now, PEM. Certificates of another are to be renewed. */
  signer: z.string(),
  /** Certificates that were made before are to be renewed; milliseconds since 1970. */
  renewBefore: z.number(),
  /** Over how long nodes should spread what all of them do now, in milliseconds. */
  spreadMs: z.number(),
  /** While true, nodes tell which certificate they have. */
  isRotating: z.boolean(),
  managers: z.array(address),
});
/** What a node must know of the cluster and of itself. */
export type News = z.output<typeof news>;

/** The present news, and each change of them. */
export const followNews: Method<'server-stream', undefined, News> = {
  name: 'membership.news',
  kind: 'server-stream',
  callers: EVERY_NODE,
  answeredBy: 'any',
  request: nothing,
  response: decodedBy(news),
};

/** Tells which certificate the node uses now. */
export const reportCertificate: Method<'unary', { readonly chain: string }, undefined> = {
  name: 'membership.report',
  kind: 'unary',
  callers: EVERY_NODE,
  answeredBy: 'leader',
  request: decodedBy(z.object({ chain: z.string().max(32_768) })),
  response: nothing,
};

const announcement = z.object({ memberId: z.string().min(1).max(300), address });

/** How an announcement ended: `removed`, the membership is over for good and another id has to be taken. */
export interface Announced {
  readonly outcome: 'member' | 'removed';
}

/** A manager says by which id and where it takes part in Raft. It is added, or its address is changed. */
export const announceMember: Method<'unary', z.output<typeof announcement>, Announced> = {
  name: 'membership.announce',
  kind: 'unary',
  callers: ['manager'],
  answeredBy: 'leader',
  request: decodedBy(announcement),
  response: decodedBy(z.object({ outcome: z.enum(['member', 'removed']) })),
  deadlineMs: 60_000,
};

/** Makes a manager a worker. */
export const demoteNode: Method<'unary', { readonly node: string }, undefined> = {
  name: 'membership.demote',
  kind: 'unary',
  callers: ['manager'],
  answeredBy: 'leader',
  request: decodedBy(z.object({ node: id })),
  response: nothing,
  deadlineMs: 30_000,
};

/** The caller is a worker from now on. One that is a worker already is no error. */
export const stepDown: Method<'unary', undefined, undefined> = {
  name: 'membership.step-down',
  kind: 'unary',
  callers: EVERY_NODE,
  answeredBy: 'leader',
  request: nothing,
  response: nothing,
  deadlineMs: 30_000,
};

/** Whether the caller still takes part in Raft, as the leader knows. */
export const takesPart: Method<'unary', undefined, { readonly takesPart: boolean }> = {
  name: 'membership.takes-part',
  kind: 'unary',
  callers: EVERY_NODE,
  answeredBy: 'leader',
  request: nothing,
  response: decodedBy(z.object({ takesPart: z.boolean() })),
};

/** Removes a node: its tasks go elsewhere, its certificate is worth nothing from then on. */
export const removeNode: Method<'unary', { readonly node: string; readonly force: boolean }, undefined> = {
  name: 'membership.remove',
  kind: 'unary',
  callers: ['manager'],
  answeredBy: 'leader',
  request: decodedBy(z.object({ node: id, force: z.boolean() })),
  response: nothing,
  deadlineMs: 30_000,
};

/** The caller goes for good. */
export const leaveCluster: Method<'unary', undefined, undefined> = {
  name: 'membership.leave',
  kind: 'unary',
  callers: EVERY_NODE,
  answeredBy: 'leader',
  request: nothing,
  response: nothing,
  deadlineMs: 30_000,
};

const commandRequest = z.object({
  collection: z.string().max(32),
  method: z.string().max(32),
  args: z.array(z.unknown()).max(8),
  options: z.looseObject({ commandId: id }),
});

/** A command of a user, on its way from a manager that follows. */
export const carryOutCommand: Method<
  'unary',
  z.output<typeof commandRequest>,
  { readonly result: unknown; readonly index: number }
> = {
  name: 'control.command',
  kind: 'unary',
  callers: ['manager'],
  answeredBy: 'leader',
  request: decodedBy(commandRequest),
  response: decodedBy(z.object({ result: z.unknown(), index: z.number() })),
  deadlineMs: 60_000,
};
