/** Raft on a manager's one port. */

import type { Socket } from 'node:net';
import type { PeerCertificate } from 'node:tls';
import type { Clock, Logger, Random } from '@skep/core';
import { configurationOf, type RaftMetrics, type RaftStorage } from '@skep/raft';
import { RaftEventLog } from '@skep/raft/event-log';
import { type SharedPort, TcpTransport, type TcpTransportTls } from '@skep/raft/tcp-transport';
import { isNodeError } from '../errors.ts';
import { PROTOCOL } from '../rpc/dial.ts';
import type { Listener } from '../rpc/listener.ts';
import type { Credentials } from '../security/credentials.ts';
import { identityOf, nodeOfMember } from '../security/identity.ts';

/** What a manager's log is made of. */
export interface RaftWiringParts {
  readonly memberId: string;
  readonly storage: RaftStorage;
  readonly listener: Listener;
  readonly advertise: string;
  readonly credentials: Credentials;
  /** It is the first member of a new cluster. */
  readonly isFirst: boolean;
  /** Whether a manager may speak as this member now. */
  readonly mayTakePart: (member: string) => boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: RaftMetrics;
}

/** The log of a manager. */
export function raftLog(parts: RaftWiringParts): RaftEventLog {
  const { memberId, storage, listener, advertise, credentials, clock, random, metrics } = parts;
  const logger = parts.logger.child({ member: memberId });
  const host = { clock, random, logger, metrics };
  const transport = new TcpTransport({
    id: memberId,
    cluster: credentials.clusterId,
    listen: sharedPort(listener),
    advertised: advertise,
    tls: raftTls(credentials, parts.mayTakePart),
    ...host,
  });
  return new RaftEventLog({
    id: memberId,
    storage,
    storageKeeps: { durable: true, encryptedAtRest: true },
    transport,
    ...host,
    ...(parts.isFirst ? { bootstrap: configurationOf([memberId], [], { [memberId]: advertise }) } : {}),
  });
}

function sharedPort(listener: Listener): SharedPort {
  return {
    address: listener.address,
    accept: (handler: (socket: Socket) => void) => listener.on(PROTOCOL.raft, handler),
  };
}

/** Who takes part in Raft is a manager of this cluster, and the node that the member's id names. */
function raftTls(credentials: Credentials, mayTakePart: RaftWiringParts['mayTakePart']): TcpTransportTls {
  return {
    context: () => credentials.context,
    protocol: PROTOCOL.raft,
    isMember(member: string, certificate: PeerCertificate): boolean {
      try {
        const { nodeId, role, clusterId } = identityOf(certificate.subject);
        const isTheirs = clusterId === credentials.clusterId && nodeId === nodeOfMember(member);
        return role === 'manager' && isTheirs && mayTakePart(member);
      } catch (error) {
        if (isNodeError(error)) return false;
        throw error;
      }
    },
  };
}
