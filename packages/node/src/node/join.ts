/** A machine becomes a node of a cluster that is there. */

import { isSkepError } from '@skep/core';
import { sleep } from '@skep/core/member';
import { isNodeError, NodeError } from '../errors.ts';
import { fetchRoots, type Issued, joinCluster } from '../membership/methods.ts';
import { formatAddress, parseAddress } from '../rpc/address.ts';
import { RpcChannel } from '../rpc/channel.ts';
import { requestCertificate } from '../security/certificate-authority.ts';
import { strangersContext } from '../security/credentials.ts';
import { type JoinToken, parseJoinToken, rootDigestOf } from '../security/join-token.ts';
import { certificatesOf, leafOf } from '../security/pem.ts';
import { newNode } from './new-node.ts';
import {
  type Addresses,
  addressesOf,
  defaultAvailability,
  hostOf,
  type NodeHost,
  type NodeOptions,
} from './options.ts';
import type { SkepNode } from './skep-node.ts';

/** Options of {@link join}. */
export interface JoinOptions extends NodeOptions {
  /** `SWMTKN-1-…`. It decides whether the node becomes a manager or a worker. */
  readonly token: string;
  /** Address of a manager, `host:port`; or several, of which one that answers is taken. */
  readonly remote: string | readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  /** Default `active`; without a driver `drain`, since nothing can run there. */
  readonly availability?: 'active' | 'pause' | 'drain';
}

/**
 * Certificates hold for clocks that are an hour apart at most; what is more than half of that apart is refused, so that
 * a clock which goes wrong a little further does not cut a running node off.
 */
const SKEW_MS_MAX = 1_800_000;

/** How long a joiner waits for the managers to elect a leader, and how often it asks, in ms. */
const ELECTION_MS = 5_000;
const ELECTION_AGAIN_MS = 100;

/**
 * Joins a cluster: proves by the token that the managers are those of the cluster, before the token's secret is sent;
 * gets a certificate; and becomes a worker or a manager.
 *
 * @throws NodeError `TOKEN_MALFORMED`, `TOKEN_REFUSED`, `ROOT_MISMATCH`, `UNREACHABLE`, `JOIN_TO_ITSELF`, `CLOCK_SKEW`,
 *   `ADVERTISED_UNREACHABLE`, `ALREADY_A_NODE`, `INVALID_OPTION`, `STATE_LOCKED`. Nothing is left behind then.
 */
export async function join(options: JoinOptions): Promise<SkepNode> {
  const host = hostOf(options);
  const token = parseJoinToken(options.token);
  const addresses = addressesOf(options);
  const remotes = remotesOf(options, addresses);
  // Keys are made while the disk and the network are waited for.
  const requesting = requestCertificate();
  requesting.catch(() => {});
  return newNode(options, async (directory) => {
    const issued = await admitted(remotes, token, { options, addresses, host, requesting });
    const { privateKey } = await requesting;
    const { clusterId, nodeId, chain, roots } = issued;
    const managers = issued.managers.length > 0 ? issued.managers : remotes;
    const file = { version: 1, clusterId, nodeId, ...addresses } as const;
    return {
      ...{ file, managers, texts: { privateKey, chain, roots } },
      keep: () => directory.writeManagers(managers),
      become: async (node) => {
        await directory.writeNode(file);
        await node.open(options.signal === undefined ? {} : { signal: options.signal });
      },
    };
  });
}

interface Joining {
  readonly options: JoinOptions;
  readonly addresses: Addresses;
  readonly host: NodeHost;
  readonly requesting: ReturnType<typeof requestCertificate>;
}

/** Asks one manager after the other; while the managers elect a leader, again. @throws the last one's error. */
async function admitted(remotes: readonly string[], token: JoinToken, joining: Joining): Promise<Issued> {
  const { clock } = joining.host;
  const end = clock.monotonic() + ELECTION_MS;
  for (let turn = 0; ; turn++) {
    const remote = remotes[turn % remotes.length] ?? '';
    try {
      return await admittedBy(remote, token, joining);
    } catch (error) {
      if (!(isNodeError(error) || isSkepError(error)) || !error.retryable) throw error;
      const isElecting = error.code === 'NOT_LEADER' || error.code === 'BUSY';
      const isRoundOver = turn % remotes.length === remotes.length - 1;
      if (isRoundOver && !(isElecting && clock.monotonic() < end)) throw error;
      if (isElecting) await sleep(clock, ELECTION_AGAIN_MS, joining.options.signal);
    }
  }
}

async function admittedBy(
  remote: string,
  token: JoinToken,
  { options, addresses, host, requesting }: Joining,
): Promise<Issued> {
  const { clock } = host;
  const call = options.signal === undefined ? {} : { signal: options.signal };
  const root = await provenRoot(remote, token, host, call);
  const { request } = await requesting;
  const channel = new RpcChannel({
    address: remote,
    context: () => strangersContext(root),
    expected: { kind: 'manager', clusterId: undefined },
    clock,
  });
  try {
    const { hostname, advertise } = addresses;
    const { labels = {}, availability = defaultAvailability(options) } = options;
    const issued = await channel.unary(
      joinCluster,
      {
        secret: token.secret,
        request,
        hostname,
        address: parseAddress(advertise).host,
        labels,
        availability,
      },
      call,
    );
    checkIssued(issued, root);
    return issued;
  } finally {
    channel.close();
  }
}

/** The root that the token speaks of, as the manager shows it. Nothing is said to the manager before that. */
async function provenRoot(
  remote: string,
  token: JoinToken,
  { clock }: NodeHost,
  call: { readonly signal?: AbortSignal },
): Promise<string> {
  const channel = new RpcChannel({
    address: remote,
    context: () => strangersContext(),
    expected: { kind: 'anyone' },
    clock,
  });
  try {
    const { roots, now } = await channel.unary(fetchRoots, undefined, call);
    const proven = certificatesOf(roots).find((certificate) =>
      Buffer.from(token.rootDigest).equals(rootDigestOf(certificate.raw)),
    );
    if (proven === undefined) {
      const message = `the cluster at ${remote} is not the one that the token is of, or its root was rotated since`;
      throw new NodeError('ROOT_MISMATCH', message);
    }
    const skewMs = clock.now() - now;
    if (Math.abs(skewMs) > SKEW_MS_MAX) {
      const minutes = Math.round(Math.abs(skewMs) / 60_000);
      const side = skewMs > 0 ? 'ahead of' : 'behind';
      throw new NodeError(
        'CLOCK_SKEW',
        `this machine's clock is ${minutes} minutes ${side} that of ${remote}`,
      );
    }
    return proven.toString();
  } finally {
    channel.close();
  }
}

/** @throws NodeError `CERTIFICATE_UNTRUSTED` if the answer is no certificate of the proven root. */
function checkIssued({ chain, roots }: Issued, root: string): void {
  const known = leafOf(root).fingerprint256;
  const isKept = certificatesOf(roots).some(({ fingerprint256 }) => fingerprint256 === known);
  const issuers = [...certificatesOf(chain).slice(1), ...certificatesOf(roots)];
  const isSigned = issuers.some(({ publicKey }) => leafOf(chain).verify(publicKey));
  if (!isKept || !isSigned) {
    throw new NodeError(
      'CERTIFICATE_UNTRUSTED',
      "the certificate that was issued is not of the cluster's root",
    );
  }
}

function remotesOf({ remote }: JoinOptions, addresses: Addresses): readonly string[] {
  const given = typeof remote === 'string' ? [remote] : remote;
  const remotes = given.map((each) => formatAddress(parseAddress(each, 'remote')));
  if (remotes.length === 0) throw new NodeError('INVALID_OPTION', 'remote must name a manager');
  const own = new Set([addresses.listen, addresses.advertise]);
  const others = remotes.filter((each) => !own.has(each));
  if (others.length === 0) {
    throw new NodeError(
      'JOIN_TO_ITSELF',
      `remote ${remotes[0]} is this node's own address: name another manager`,
    );
  }
  return others;
}
