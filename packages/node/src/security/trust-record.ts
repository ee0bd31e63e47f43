/**
 * What the managers share to admit nodes: the CA with its key, the join tokens, a rotation of the root under way, the
 * unlock key. One record, kept in the core's vault under a name: replicated and sealed with the log, in no watch, in no
 * history. All that is done to it is here, as pure functions; what needs keys or lots is given.
 */

import { Packr, Unpackr } from 'msgpackr';
import * as z from 'zod';
import { NodeError } from '../errors.ts';
import type { RootAuthority, SigningAuthority } from './certificate-authority.ts';
import type { NodeRole } from './identity.ts';
import { formatJoinToken, isSameSecret, rootDigestOf } from './join-token.ts';
import { joinPem, leafOf } from './pem.ts';

/** Name of the record in the vault. */
export const TRUST_RECORD = 'node/trust';

const rootSchema = z.object({ certificate: z.string(), privateKey: z.string() });

const trustSchema = z.object({
  version: z.literal(1),
  root: rootSchema,
  /** A new root on its way in: it signs already, and is trusted beside the old one until every node has gone over. */
  rotation: rootSchema.extend({ crossSigned: z.string() }).optional(),
  /** Secrets of the join tokens. */
  tokens: z.object({ manager: z.string(), worker: z.string() }),
  /** How long certificates of nodes are valid, in milliseconds. */
  nodeValidityMs: z.number(),
  /** Present while autolock is on. */
  unlockKey: z.custom<Uint8Array>((value) => value instanceof Uint8Array).optional(),
  /** Certificates older than this are to be renewed at once; milliseconds since 1970. */
  renewBefore: z.number(),
});

/** The record. Secret as a whole. */
export type TrustRecord = z.output<typeof trustSchema>;

const packr = new Packr({ useRecords: false });
const unpackr = new Unpackr({ useRecords: false });

/** The record as the vault keeps it. */
export function encodeTrust(record: TrustRecord): Uint8Array {
  return new Uint8Array(packr.pack(record));
}

/** @throws NodeError `STATE_UNREADABLE` if a newer program wrote it. */
export function decodeTrust(bytes: Uint8Array): TrustRecord {
  const parsed = trustSchema.safeParse(unpackr.unpack(new Uint8Array(bytes)));
  // What did not parse may hold keys, so nothing of it is told.
  if (!parsed.success) throw new NodeError('STATE_UNREADABLE', "the cluster's trust record can not be read");
  return parsed.data;
}

/** Who signs certificates now. */
export function signerOf({ root, rotation }: TrustRecord): SigningAuthority {
  return rotation ?? root;
}

/** The roots that nodes are to trust now, PEM. */
export function trustedRoots({ root, rotation }: TrustRecord): string {
  return rotation === undefined ? root.certificate : joinPem(root.certificate, rotation.certificate);
}

/** The token that admits in this role. It names the old root while a rotation lasts. */
export function joinTokenFor({ root, tokens }: TrustRecord, role: NodeRole): string {
  return formatJoinToken({ rootDigest: rootDigestOf(leafOf(root.certificate).raw), secret: tokens[role] });
}

/** The role that a token's secret admits to, if any. Takes the same time whichever it is. */
export function roleOfSecret({ tokens }: TrustRecord, secret: string): NodeRole | undefined {
  const isManager = isSameSecret(tokens.manager, secret);
  const isWorker = isSameSecret(tokens.worker, secret);
  if (isManager) return 'manager';
  return isWorker ? 'worker' : undefined;
}

/** Begins to go over to a new root. One that was on its way in before is dropped. */
export function beginRotation(record: TrustRecord, next: RootAuthority, crossSigned: string): TrustRecord {
  return { ...record, rotation: { ...next, crossSigned } };
}

/** Drops the old root, and with it the tokens that name it. */
export function endRotation(record: TrustRecord, newSecret: () => string): TrustRecord {
  const { rotation, ...rest } = record;
  if (rotation === undefined) return record;
  const { certificate, privateKey } = rotation;
  return {
    ...rest,
    root: { certificate, privateKey },
    tokens: { manager: newSecret(), worker: newSecret() },
  };
}
