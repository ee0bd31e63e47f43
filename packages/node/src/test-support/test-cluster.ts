/** A cluster as security and RPC see it, without any of its machinery: a CA, nodes, and the list of them. */

import type { Clock, ClusterId, NodeId } from '@skep/core';
import { systemClock } from '@skep/core/member';
import type { Membership } from '../rpc/caller.ts';
import { RpcChannel } from '../rpc/channel.ts';
import { PROTOCOL } from '../rpc/dial.ts';
import { Listener } from '../rpc/listener.ts';
import type { AnyMethod } from '../rpc/method.ts';
import type { LeaderRoute } from '../rpc/relay.ts';
import { type Handler, RpcServer } from '../rpc/server.ts';
import {
  createRootAuthority,
  issueCertificate,
  NODE_VALIDITY_MS,
  type RootAuthority,
  readCertificateRequest,
  requestCertificate,
} from '../security/certificate-authority.ts';
import { Credentials, strangersContext } from '../security/credentials.ts';
import type { NodeRole } from '../security/identity.ts';

/** What to make a certificate of. */
export interface TestNode {
  readonly nodeId?: string;
  readonly role?: NodeRole;
  /** When it was issued; milliseconds since 1970. Default: now. */
  readonly issuedAt?: number;
  readonly validityMs?: number;
  readonly clusterId?: string;
}

/** A cluster for one test. Closed with it. */
export class TestCluster implements AsyncDisposable {
  readonly clusterId: ClusterId;
  readonly root: RootAuthority;
  readonly roles = new Map<string, NodeRole>();
  readonly clock: Clock;
  readonly #closers: (() => unknown)[] = [];

  private constructor(clusterId: ClusterId, root: RootAuthority, clock: Clock) {
    this.clusterId = clusterId;
    this.root = root;
    this.clock = clock;
  }

  static async create(clusterId = 'cluster-1', clock: Clock = systemClock): Promise<TestCluster> {
    const root = await createRootAuthority(clusterId as ClusterId, Date.now());
    return new TestCluster(clusterId as ClusterId, root, clock);
  }

  get membership(): Membership {
    return {
      clusterId: this.clusterId,
      roleOf: (node) => this.roles.get(node),
      catchUp: async () => {},
    };
  }

  /** A node with its certificate, on the list of nodes. */
  async credentialsOf(node: TestNode = {}): Promise<Credentials> {
    const {
      nodeId = 'node-1',
      role = 'manager',
      issuedAt = Date.now(),
      validityMs = NODE_VALIDITY_MS,
    } = node;
    this.roles.set(nodeId, role);
    const { privateKey, request } = await requestCertificate();
    const identity = {
      nodeId: nodeId as NodeId,
      role,
      clusterId: (node.clusterId ?? this.clusterId) as ClusterId,
    };
    const key = await readCertificateRequest(request);
    const chain = await issueCertificate(this.root, { key, identity, now: issuedAt, validityMs });
    return new Credentials({ privateKey, chain, roots: this.root.certificate });
  }

  /** A manager that answers these methods on loopback. */
  async serve(
    methods: readonly (readonly [AnyMethod, unknown])[],
    parts: { readonly credentials?: Credentials; readonly leader?: LeaderRoute } = {},
  ): Promise<{ readonly address: string; readonly server: RpcServer; readonly credentials: Credentials }> {
    const credentials = parts.credentials ?? (await this.credentialsOf({ nodeId: 'server' }));
    const { clock, membership } = this;
    const leader = parts.leader ?? { isLeader: true, open: () => Promise.reject(new Error('it leads')) };
    const listener = await Listener.open({ listen: { host: '127.0.0.1', port: 0 }, credentials, clock });
    const server = new RpcServer({ clock, membership, leader });
    for (const [method, handler] of methods) server.serve(method, handler as Handler<AnyMethod>);
    listener.on(PROTOCOL.rpc, (socket) => server.accept(socket));
    this.#closers.push(async () => {
      await server.close();
      await listener.close();
    });
    return { address: listener.address, server, credentials };
  }

  /** The way of a node, or of a stranger, to a manager. */
  channel(address: string, credentials?: Credentials): RpcChannel {
    const channel = new RpcChannel({
      address,
      context: () => credentials?.context ?? strangersContext(this.root.certificate),
      expected: { kind: 'manager', clusterId: this.clusterId },
      clock: this.clock,
    });
    this.#closers.push(() => channel.close());
    return channel;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close();
  }
}

/** The code of the error that something ends with. */
export async function codeOf(doing: Promise<unknown>): Promise<unknown> {
  try {
    await doing;
  } catch (error) {
    return (error as { readonly code?: unknown }).code ?? error;
  }
  return 'no error';
}
