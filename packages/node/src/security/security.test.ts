import type { X509Certificate } from 'node:crypto';
import type { ClusterId, NodeId } from '@skep/core';
import { seededRandom } from '@skep/core';
import { systemRandom } from '@skep/core/member';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codeOf } from '../test-support/test-cluster.ts';
import { fromBase36, toBase36 } from './base36.ts';
import {
  BACKDATE_MS,
  createRootAuthority,
  crossSign,
  issueCertificate,
  NODE_VALIDITY_MS,
  readCertificateRequest,
  requestCertificate,
} from './certificate-authority.ts';
import { identityOf, memberIdOf, nodeOfMember, parseSubject } from './identity.ts';
import { formatJoinToken, newTokenSecret, parseJoinToken, rootDigestOf } from './join-token.ts';
import { certificatesOf, leafOf, validityOf } from './pem.ts';
import { renewalRetryMs, renewalTime } from './renewal.ts';
import {
  beginRotation,
  decodeTrust,
  encodeTrust,
  endRotation,
  joinTokenFor,
  roleOfSecret,
  signerOf,
  type TrustRecord,
  trustedRoots,
} from './trust-record.ts';
import { formatUnlockKey, newUnlockKey, openUnder, parseUnlockKey, sealUnder } from './unlock-key.ts';

const clusterId = 'cluster-1' as ClusterId;
const now = Date.UTC(2030, 0, 1);
const manager = { nodeId: 'node-1' as NodeId, role: 'manager', clusterId } as const;

async function aRecord(): Promise<TrustRecord> {
  return {
    version: 1,
    root: await createRootAuthority(clusterId, now),
    tokens: { manager: newTokenSecret(systemRandom), worker: newTokenSecret(systemRandom) },
    nodeValidityMs: NODE_VALIDITY_MS,
    renewBefore: 0,
  };
}

describe('given a CA', () => {
  it('when it signs a request, then the certificate says who the node is, whatever the request said', async () => {
    const root = await createRootAuthority(clusterId, now);
    const { request } = await requestCertificate();
    const chain = await issueCertificate(root, {
      key: await readCertificateRequest(request),
      identity: manager,
      now,
      validityMs: NODE_VALIDITY_MS,
    });
    const leaf = leafOf(chain);
    expect(identityOf(parseSubject(leaf.subject))).toEqual(manager);
    expect(leaf.subject).toBe('O=cluster-1\nOU=swarm-manager\nCN=node-1');
    expect(leaf.subjectAltName).toBe('DNS:node-1, DNS:swarm-ca');
    expect(leaf.verify(leafOf(root.certificate).publicKey)).toBe(true);
    expect(leaf.ca).toBe(false);
    expect(leafOf(root.certificate).ca).toBe(true);
    expect(validityOf(leaf)).toEqual({ from: now - BACKDATE_MS, to: now + NODE_VALIDITY_MS });
  });

  it('when a request is no request, too long, changed, or of another curve, then it is refused', async () => {
    const read = (request: string) => codeOf(readCertificateRequest(request));
    const { request } = await requestCertificate();
    expect(await read('nonsense')).toBe('REQUEST_REFUSED');
    expect(await read(request.repeat(100))).toBe('REQUEST_REFUSED');
    const middle = request.length - 60;
    const letter = request[middle] === 'A' ? 'B' : 'A';
    expect(await read(request.slice(0, middle) + letter + request.slice(middle + 1))).toBe('REQUEST_REFUSED');
  });

  it('when a new root is cross-signed, then what it signs is verified by the old root and by the new one', async () => {
    const older = await createRootAuthority(clusterId, now);
    const newer = await createRootAuthority(clusterId, now);
    const crossSigned = await crossSign(older, newer, now);
    const { request } = await requestCertificate();
    const signer = { ...newer, crossSigned };
    const chain = await issueCertificate(signer, {
      key: await readCertificateRequest(request),
      identity: manager,
      now,
      validityMs: NODE_VALIDITY_MS,
    });
    const [leaf, between] = certificatesOf(chain);
    expect(leaf?.verify(leafOf(newer.certificate).publicKey)).toBe(true);
    expect(leaf?.checkIssued(between as X509Certificate)).toBe(true);
    expect(between?.verify(leafOf(older.certificate).publicKey)).toBe(true);
  });
});

describe('given a join token', () => {
  it('when it is taken apart and put together, then it is the same, and of the right shape', async () => {
    const { root } = await aRecord();
    const rootDigest = rootDigestOf(leafOf(root.certificate).raw);
    const token = formatJoinToken({ rootDigest, secret: newTokenSecret(systemRandom) });
    expect(token).toMatch(/^SWMTKN-1-[0-9a-z]{50}-[0-9a-z]{25}$/);
    expect(formatJoinToken(parseJoinToken(token))).toBe(token);
    expect(Buffer.from(parseJoinToken(` ${token}\n`).rootDigest)).toEqual(Buffer.from(rootDigest));
  });

  it('when it is cut short, mistyped or something else, then it is refused, and the error holds nothing of it', async () => {
    const token = joinTokenFor(await aRecord(), 'worker');
    for (const wrong of [
      '',
      'SWMTKN',
      token.slice(0, -1),
      token.slice(0, 70),
      `${token}-x`,
      token.toUpperCase(),
    ]) {
      expect(() => parseJoinToken(wrong)).toThrow(expect.objectContaining({ code: 'TOKEN_MALFORMED' }));
    }
    expect(() => parseJoinToken(token.slice(0, -1))).not.toThrow(token.slice(60, -1));
  });

  it('when bytes become letters, then they come back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
        expect(fromBase36(toBase36(bytes, 25), 16)).toEqual(bytes);
      }),
    );
    expect(fromBase36('z'.repeat(25), 16)).toBeUndefined();
  });
});

describe('given the trust record', () => {
  it('when it is kept and read, then it is the same; what is something else is refused', async () => {
    const record = await aRecord();
    expect(decodeTrust(encodeTrust(record))).toEqual(record);
    expect(() => decodeTrust(Uint8Array.of(1))).toThrow(
      expect.objectContaining({ code: 'STATE_UNREADABLE' }),
    );
  });

  it('when secrets are compared, then each token admits to its role', async () => {
    const record = await aRecord();
    expect(roleOfSecret(record, record.tokens.manager)).toBe('manager');
    expect(roleOfSecret(record, record.tokens.worker)).toBe('worker');
    expect(roleOfSecret(record, newTokenSecret(systemRandom))).toBeUndefined();
  });

  it('when the root is rotated, then both are trusted until it ends, and then the tokens are others', async () => {
    const record = await aRecord();
    const next = await createRootAuthority(clusterId, now);
    const rotating = beginRotation(record, next, await crossSign(record.root, next, now));
    expect(certificatesOf(trustedRoots(rotating))).toHaveLength(2);
    expect(signerOf(rotating).certificate).toBe(next.certificate);
    expect(joinTokenFor(rotating, 'worker')).toBe(joinTokenFor(record, 'worker'));
    const ended = endRotation(rotating, () => newTokenSecret(systemRandom));
    expect(ended.root).toEqual(next);
    expect(ended.rotation).toBeUndefined();
    expect(trustedRoots(ended)).toBe(next.certificate);
    expect(joinTokenFor(ended, 'worker')).not.toBe(joinTokenFor(record, 'worker'));
    expect(decodeTrust(encodeTrust(ended))).toEqual(ended);
  });
});

describe('given the small things', () => {
  it('when a certificate is renewed, then between half and four fifths of its time', () => {
    const random = seededRandom(7);
    for (let turn = 0; turn < 1000; turn++) {
      const at = renewalTime({ from: 1000, to: 2000 }, random);
      expect(at).toBeGreaterThanOrEqual(1500);
      expect(at).toBeLessThanOrEqual(1800);
    }
    expect(renewalRetryMs(1, random)).toBeLessThanOrEqual(5_000);
    expect(renewalRetryMs(100, random)).toBeLessThanOrEqual(3_600_000);
  });

  it('when a member of Raft is named after its node, then the node can be told', () => {
    expect(nodeOfMember(memberIdOf(manager.nodeId, 'abc123'))).toBe('node-1');
  });

  it('when something is sealed under the unlock key, then only that key opens it, for that purpose', () => {
    const key = newUnlockKey(systemRandom);
    expect(parseUnlockKey(formatUnlockKey(key))).toEqual(key);
    const sealed = sealUnder(key, 'identity', Buffer.from('a private key'));
    expect(Buffer.from(openUnder(key, 'identity', sealed)).toString()).toBe('a private key');
    expect(Buffer.from(sealed).toString('latin1')).not.toContain('private');
    const refused = expect.objectContaining({ code: 'UNLOCK_KEY_REFUSED' });
    expect(() => openUnder(newUnlockKey(systemRandom), 'identity', sealed)).toThrow(refused);
    expect(() => openUnder(key, 'another', sealed)).toThrow(refused);
    expect(() => parseUnlockKey('SWMKEY-1-short')).toThrow(refused);
  });
});
