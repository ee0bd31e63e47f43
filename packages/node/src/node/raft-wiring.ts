/** Raft on a manager's one port and in its state directory. */

import type { Socket } from 'node:net';
import type { PeerCertificate } from 'node:tls';
import type { Clock, Random } from '@skep/core';
import { configurationOf } from '@skep/raft';
import { RaftEventLog } from '@skep/raft/event-log';
import { FileStorage, KeyRing } from '@skep/raft/file-storage';
import { type SharedPort, TcpTransport, type TcpTransportTls } from '@skep/raft/tcp-transport';
import { isNodeError } from '../errors.ts';
import { PROTOCOL } from '../rpc/dial.ts';
import type { Listener } from '../rpc/listener.ts';
import type { Credentials } from '../security/credentials.ts';
import { identityOf, nodeOfMember } from '../security/identity.ts';
import type { StateDirectory } from '../state-directory/state-directory.ts';

/** What a manager's log is made of. */
export interface RaftWiringParts {
  readonly memberId: string;
  readonly directory: StateDirectory;
  readonly listener: Listener;
  readonly advertise: string;
  readonly credentials: Credentials;
  readonly unlockKey: Uint8Array | undefined;
  /** It is the first member of a new cluster. */
  readonly isFirst: boolean;
  readonly clock: Clock;
  readonly random: Random;
}

/** Name of the key that the log's keys are wrapped under. */
const RAFT_KEY_ID = 'node';
const KEY_BYTES = 32;

/** The log of a manager. @throws NodeError `LOCKED`, `UNLOCK_KEY_REFUSED`, `STATE_UNREADABLE` */
export async function raftLog(parts: RaftWiringParts): Promise<RaftEventLog> {
  const { memberId, directory, listener, advertise, credentials, unlockKey, clock, random } = parts;
  let key = await directory.readRaftKey(unlockKey);
  if (key === undefined) {
    key = random.bytes(KEY_BYTES);
    await directory.writeRaftKey(key, unlockKey);
  }
  const transport = new TcpTransport({
    id: memberId,
    cluster: credentials.clusterId,
    listen: sharedPort(listener),
    advertised: advertise,
    tls: raftTls(credentials),
    clock,
    random,
  });
  return new RaftEventLog({
    id: memberId,
    storage: new FileStorage({
      directory: directory.raftPath,
      keys: new KeyRing({ id: RAFT_KEY_ID, key }),
    }),
    storageKeeps: { durable: true, encryptedAtRest: true },
    transport,
    clock,
    random,
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
function raftTls(credentials: Credentials): TcpTransportTls {
  return {
    context: () => credentials.context,
    protocol: PROTOCOL.raft,
    isMember(member: string, certificate: PeerCertificate): boolean {
      try {
        const { nodeId, role, clusterId } = identityOf(certificate.subject);
        return role === 'manager' && clusterId === credentials.clusterId && nodeId === nodeOfMember(member);
      } catch (error) {
        if (isNodeError(error)) return false;
        throw error;
      }
    },
  };
}
