/**
 * What a node is made of while it is a manager: the port, Raft under a cluster, and the services that other nodes ask.
 * It is started and closed as a whole, when the node starts and ends, and when its role changes.
 */

import { type Clock, Cluster, type Logger, type MetricSources, type Random } from '@skep/core';
import { sleep } from '@skep/core/member';
import { isVoter, type RaftMetrics } from '@skep/raft';
import type { RaftEventLog } from '@skep/raft/event-log';
import { agentForwarder } from '../dispatch/agent-forwarding.ts';
import { DispatcherService } from '../dispatch/dispatcher-service.ts';
import { isNodeError, NodeError, type NodeErrorCode } from '../errors.ts';
import { serveCertificates } from '../membership/certificate-service.ts';
import { commandForwarder, serveCommands } from '../membership/command-route.ts';
import type { ManagerContext } from '../membership/manager-context.ts';
import { MemberChanges } from '../membership/member-changes.ts';
import { Members } from '../membership/members-service.ts';
import { announceMember, followNews, reportCertificate } from '../membership/methods.ts';
import { NewsDesk } from '../membership/news-desk.ts';
import { RoleKeeper } from '../membership/role-keeper.ts';
import { RootRotation } from '../membership/root-rotation.ts';
import { TrustKeeper } from '../membership/trust-keeper.ts';
import { formatAddress, parseAddress } from '../rpc/address.ts';
import { PROTOCOL } from '../rpc/dial.ts';
import { LeaderChannel } from '../rpc/leader-route.ts';
import { Listener } from '../rpc/listener.ts';
import type { ManagerLink } from '../rpc/manager-link.ts';
import { RpcServer } from '../rpc/server.ts';
import type { Credentials } from '../security/credentials.ts';
import { encodeTrust, type TrustRecord } from '../security/trust-record.ts';
import type { StateDirectory } from '../state-directory/state-directory.ts';
import { writeBackup } from './backup-file.ts';
import { allSteps } from './closing.ts';
import { ClusterView } from './cluster-view.ts';
import type { KeyKeeper } from './key-keeper.ts';
import { KeyRings } from './key-rings.ts';
import { ManagerHistory } from './manager-history.ts';
import { fillStorage, type KeptSnapshot, ManagerStorage, makeOnlyMember } from './manager-storage.ts';
import type { NodeHistoryOptions } from './options.ts';
import { raftLog } from './raft-wiring.ts';

/** What a manager is made of. */
export interface ManagerPartOptions {
  readonly directory: StateDirectory;
  readonly credentials: Credentials;
  readonly memberId: string;
  /** Where to listen, and where others reach it; both `host:port`. */
  readonly listen: string;
  readonly advertise: string;
  readonly keys: KeyKeeper;
  readonly history: NodeHistoryOptions | false;
  /** How it comes to its state. */
  readonly origin: ManagerOrigin;
  /** The way to the managers that are there already. */
  readonly link: ManagerLink;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: RaftMetrics;
  readonly metricSources: MetricSources;
}

/** How a manager comes to its state. */
export type ManagerOrigin =
  /** From its disk, or from the other managers. */
  | { readonly kind: 'others' }
  /** There is none: it is the first manager of a new cluster. */
  | { readonly kind: 'first' }
  /** From its disk, where it makes itself the only member. */
  | { readonly kind: 'alone' }
  /** From a backup, as the only member. */
  | { readonly kind: 'backup'; readonly snapshot: KeptSnapshot };

/** A manager that is new gives up after so long, in ms; and waits so long between two attempts to be taken in. */
const TAKEN_IN_MS = 60_000;
const ANNOUNCE_AGAIN_MS = 100;
/** Before it is tried again to seal the node's keys, in ms. */
const SEAL_AGAIN_MS = 5_000;

/** What makes asking to be taken in hopeless. */
const FINAL: ReadonlySet<NodeErrorCode> = new Set([
  'ADVERTISED_UNREACHABLE',
  'NODE_REMOVED',
  'WRONG_CLUSTER',
  'WRONG_NODE',
  'WRONG_ROLE',
  'CERTIFICATE_EXPIRED',
  'CERTIFICATE_UNTRUSTED',
  'CERTIFICATE_NOT_YET_VALID',
]);

/** The membership in Raft is over: the node has to take part under another id. */
export class MembershipEnded extends NodeError {
  constructor(memberId: string) {
    super('NODE_REMOVED', `membership ${memberId} in Raft has ended`);
  }
}

interface Running {
  readonly listen: string;
  readonly advertise: string;
  readonly cluster: Cluster;
  readonly trust: TrustKeeper;
  readonly news: NewsDesk;
  readonly members: Members;
  readonly rotation: RootRotation;
  readonly server: RpcServer;
  readonly leader: LeaderChannel;
  readonly context: ManagerContext;
  readonly changes: MemberChanges;
  readonly storage: ManagerStorage;
  readonly rings: KeyRings;
  readonly keys: KeyKeeper;
  readonly closers: (() => unknown)[];
}

/** A running manager. */
export class ManagerPart {
  readonly cluster: Cluster;
  readonly trust: TrustKeeper;
  readonly news: NewsDesk;
  readonly members: Members;
  readonly rotation: RootRotation;
  /** Where further services are answered. */
  readonly server: RpcServer;
  readonly leader: LeaderChannel;
  readonly context: ManagerContext;
  /** Where it listens and is reached: what it was told, with the port that it got. */
  readonly listen: string;
  readonly advertise: string;
  readonly #changes: MemberChanges;
  readonly #storage: ManagerStorage;
  readonly #rings: KeyRings;
  readonly #keys: KeyKeeper;
  readonly #closers: (() => unknown)[];

  private constructor(parts: Running) {
    this.cluster = parts.cluster;
    this.trust = parts.trust;
    this.news = parts.news;
    this.members = parts.members;
    this.rotation = parts.rotation;
    this.server = parts.server;
    this.leader = parts.leader;
    this.context = parts.context;
    this.listen = parts.listen;
    this.advertise = parts.advertise;
    this.#changes = parts.changes;
    this.#storage = parts.storage;
    this.#rings = parts.rings;
    this.#keys = parts.keys;
    this.#closers = parts.closers;
  }

  /**
   * Starts a manager; resolves once it takes part and knows the cluster.
   *
   * @throws NodeError `INVALID_OPTION`, `ADVERTISED_UNREACHABLE`, `LOCKED`, …; UnavailableError for a log that can't be
   *   read.
   */
  static async start(options: ManagerPartOptions, signal: AbortSignal): Promise<ManagerPart> {
    const closers: (() => unknown)[] = [];
    try {
      return await ManagerPart.#start(options, signal, closers);
    } catch (error) {
      await allSteps(closers.reverse()).catch(() => {});
      throw error;
    }
  }

  /** Ends the manager. What it keeps stays. */
  async close(): Promise<void> {
    await allSteps(this.#closers.splice(0).reverse());
  }

  static async #start(
    options: ManagerPartOptions,
    signal: AbortSignal,
    closers: (() => unknown)[],
  ): Promise<ManagerPart> {
    const { credentials, clock, random, logger, metrics, memberId } = options;
    const { clusterId, nodeId } = credentials.identity;
    const listener = await Listener.open({
      listen: parseAddress(options.listen, 'listen'),
      credentials,
      clock,
      logger,
    });
    closers.push(() => listener.close());
    const advertise = withPortOf(options.advertise, listener.address);
    const { storage, history } = await storageOf(options, advertise);
    const isFirst = options.origin.kind === 'first';
    const log = raftLog({
      ...{ storage, listener, advertise, credentials, memberId, isFirst, clock, random, logger, metrics },
      mayTakePart: (member) => view.mayTakePart(member),
    });
    const view = new ClusterView({ log, clusterId, clock });
    const leader = new LeaderChannel({
      place: () => view.place(memberId),
      ...{ clusterId, credentials, clock },
    });
    closers.push(() => leader.close());
    const server = new RpcServer({ clock, membership: view, leader, logger });
    listener.on(PROTOCOL.rpc, (socket) => server.accept(socket));
    closers.push(() => server.close());
    const opening = new AbortController();
    const onAbort = () => opening.abort(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    const opened = Cluster.open({
      ...{ log, clock, random, logger, id: clusterId, forwarder: commandForwarder(leader) },
      agents: agentForwarder(leader),
      history: history === undefined ? false : { ...options.history, store: history.store },
      metricSources: options.metricSources,
      signal: opening.signal,
    });
    opened.catch(() => {});
    const announcing = announced({ ...options, advertise }, log, opening.signal);
    announcing.catch(() => {});
    closers.push(() => opening.abort(new NodeError('CLOSED', 'the manager is closed')));
    try {
      await Promise.race([opened, announcing.then(() => opened)]);
      // One that takes part since long need not wait for the others to know its address.
      if (!isVoter(log.node.status.configuration, memberId)) await announcing;
    } catch (error) {
      opening.abort(error);
      await opened.then((late) => late.close()).catch(() => log.close());
      throw error;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
    const cluster = await opened;
    closers.push(() => cluster.close());
    view.cluster = cluster;
    const trust = new TrustKeeper(cluster);
    const raft = log.node;
    const context: ManagerContext = {
      ...{ nodeId, clusterId, memberId, cluster, raft, trust, credentials, clock, random, logger },
    };
    const watched = cluster.watch({ kind: 'node' }).subscribe(() => server.recheck());
    closers.push(() => watched.unsubscribe());
    const news = new NewsDesk(context);
    const changes = new MemberChanges(context);
    const members = new Members(context, changes);
    const rotation = new RootRotation(context);
    closers.push(
      () => news.close(),
      () => rotation.close(),
    );
    members.serve(server);
    serveCertificates(server, context);
    serveCommands(server, context);
    new DispatcherService(context).serve(server);
    server.serve(followNews, (_, call) => news.follow(call.caller.identity.nodeId, call.signal));
    server.serve(reportCertificate, async ({ chain }, { caller }) => {
      rotation.report(caller.identity.nodeId, chain);
    });
    return new ManagerPart({
      ...{ cluster, trust, news, members, rotation, server, leader, context, changes, closers, advertise },
      ...{ listen: listener.address, storage, keys: options.keys },
      rings: new KeyRings({ storage, history, compact: () => raft.snapshot({ discard: true }) }),
    });
  }

  /** Begins to keep Raft's members to the list of nodes. The list has to hold this node. */
  keepRoles(): void {
    const keeper = new RoleKeeper(this.context, this.#changes);
    this.#closers.push(() => keeper.close());
  }

  /** Begins to seal this node's keys as the replicated record wants it. */
  keepLocked(renewCertificate: () => Promise<void>): void {
    const { trust, context } = this;
    let cancel = () => {};
    const seal = () => {
      cancel();
      const done = this.#keys.sealUnder(trust.record.unlockKey, { rings: this.#rings, renewCertificate });
      done.catch((error: unknown) => {
        if (this.#closers.length === 0) return;
        context.logger.error({ err: error }, 'could not seal the keys of this node anew; trying again');
        cancel = context.clock.setTimer(SEAL_AGAIN_MS, seal);
      });
    };
    this.#closers.push(trust.onChange(seal), () => cancel());
    seal();
  }

  /** Resolves once this node's keys are sealed as the record wants it. */
  settled(): Promise<void> {
    return this.#keys.settled();
  }

  /** Writes the state of the cluster, as it is now, to a file that is sealed under a key. Work goes on meanwhile. */
  async backUp(path: string, key: Uint8Array): Promise<void> {
    const { raft, clusterId } = this.context;
    await raft.readBarrier();
    let trust: TrustRecord;
    do {
      trust = this.trust.record;
      await raft.snapshot();
      // Tokens or a root that changed just now would not be those that the snapshot speaks of.
    } while (this.trust.record !== trust);
    const { snapshot, chunks } = this.#storage.newestSnapshot();
    const { index, term } = snapshot;
    await writeBackup(path, key, { version: 1, clusterId, trust: encodeTrust(trust), index, term }, chunks);
  }

  /** Makes workers of all other managers in the list of nodes, which are lost. */
  async demoteOthers(): Promise<void> {
    for (const { id } of this.cluster.nodes.list({ role: 'manager' })) {
      if (id !== this.context.nodeId) await this.cluster.nodes.demote(id);
    }
  }

  /** The others are told where this manager is, if it leads and they have another address. */
  async tellAddress(): Promise<void> {
    const { nodeId, memberId } = this.context;
    if (this.cluster.leading) await this.members.announce(nodeId, memberId, this.advertise);
  }
}

/** An address whose port was left to the system has the one that was got. */
function withPortOf(advertise: string, listening: string): string {
  const { host, port } = parseAddress(advertise, 'advertise');
  return port === 0 ? formatAddress({ host, port: parseAddress(listening).port }) : advertise;
}

interface Storages {
  readonly storage: ManagerStorage;
  readonly history: ManagerHistory | undefined;
}

async function storageOf(options: ManagerPartOptions, advertise: string): Promise<Storages> {
  const { directory, memberId, origin, random, logger } = options;
  const keys = await options.keys.raftKeys();
  const parts = { directory: directory.raftPath, keys };
  if (origin.kind === 'alone') await makeOnlyMember(parts, memberId);
  if (origin.kind === 'backup')
    await fillStorage(parts, { id: memberId, address: advertise }, origin.snapshot);
  const isKept = options.history !== false;
  const history = isKept
    ? new ManagerHistory({ directory: directory.historyPath, keys, random, logger })
    : undefined;
  return { storage: new ManagerStorage(parts), history };
}

/** Has the managers take this one in, or note where it is, unless they know. Tries until they do. */
async function announced(options: ManagerPartOptions, log: RaftEventLog, signal: AbortSignal): Promise<void> {
  const { memberId, advertise, link, clock, origin, logger } = options;
  if (origin.kind !== 'others') return;
  const end = clock.monotonic() + TAKEN_IN_MS;
  for (;;) {
    const { configuration, leader } = log.node.status;
    const isListed = isVoter(configuration, memberId) && configuration.addresses[memberId] === advertise;
    // Its own list may be of long ago; that somebody leads it is the proof that the others have it on theirs.
    if (isListed && leader !== undefined) return;
    try {
      const { outcome } = await link.unary(
        announceMember,
        { memberId, address: advertise },
        { signal, except: advertise },
      );
      if (outcome === 'member') return;
    } catch (error) {
      if (isNodeError(error) && FINAL.has(error.code)) throw error;
      // One that takes part already may have to wait for others to come back. A new one has nothing to wait for.
      if (!isVoter(configuration, memberId) && clock.monotonic() >= end) throw error;
      logger.debug({ err: error }, 'the managers have not taken this one in yet');
      await sleep(clock, ANNOUNCE_AGAIN_MS, signal);
      continue;
    }
    throw new MembershipEnded(memberId);
  }
}
