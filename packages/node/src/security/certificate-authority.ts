/**
 * The cluster's certificate authority: makes roots, signs certificates of nodes, and vouches for a new root with the
 * old key while a root rotation lasts. Pure apart from the random numbers of keys: times are given, nothing is stored.
 * Nodes' keys and roots of our own are ECDSA on P-256. X.509 itself (RFC 5280) and certificate requests (RFC 2986) are `@peculiar/x509`'s.
 */

import 'reflect-metadata';
import { createPrivateKey, createPublicKey, type KeyObject, randomBytes } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import type { ClusterId } from '@skep/core';
import { NodeError } from '../errors.ts';
import { type NodeIdentity, organizationalUnitOf } from './identity.ts';
import { joinPem } from './pem.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** How long a root is valid. As in Swarm mode. */
export const ROOT_VALIDITY_MS = 20 * 365 * DAY_MS;
/** How long a node's certificate is valid, by default. As in Swarm mode. */
export const NODE_VALIDITY_MS = 90 * DAY_MS;
/** The least that it may be set to. */
export const NODE_VALIDITY_MS_MIN = HOUR_MS;
/** Certificates are valid from so long before they were made, since clocks differ. */
export const BACKDATE_MS = HOUR_MS;

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
/** Kinds of keys that a root may have, in words. */
export const SIGNING_KEYS = 'ECDSA on P-256 or P-384, RSA of 2,048 bits or more';

/** Subject of every root of our own, and a name that managers answer to. */
const AUTHORITY_NAME = 'swarm-ca';
/** Longest certificate request, in bytes of PEM. */
export const REQUEST_BYTES_MAX = 8192;

/** A root with its key. */
export interface RootAuthority {
  /** PEM. */
  readonly certificate: string;
  /** PKCS #8, PEM. Secret. */
  readonly privateKey: string;
}

/** What certificates are signed with. */
export interface SigningAuthority extends RootAuthority {
  /** PEM: this root as the root before it vouches for it. Follows each certificate while a rotation lasts. */
  readonly crossSigned?: string;
}

/** Makes a root. @param now - milliseconds since 1970. */
export async function createRootAuthority(clusterId: ClusterId, now: number): Promise<RootAuthority> {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    keys,
    name: authorityName(clusterId),
    serialNumber: serialNumber(),
    notBefore: new Date(now - BACKDATE_MS),
    notAfter: new Date(now + ROOT_VALIDITY_MS),
    signingAlgorithm: ALGORITHM,
    extensions: await authorityExtensions(keys.publicKey),
  });
  const der = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey));
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  return { certificate: joinPem(certificate.toString('pem')), privateKey: exportKey(privateKey) };
}

/** The new root's certificate as the old root signs it: who trusts only the old one trusts what the new one signs. */
export async function crossSign(older: RootAuthority, newer: RootAuthority, now: number): Promise<string> {
  const root = new x509.X509Certificate(newer.certificate);
  const { signingKey, signingAlgorithm, name } = await issuerOf(older);
  const certificate = await x509.X509CertificateGenerator.create({
    publicKey: root.publicKey,
    signingKey,
    subject: root.subjectName.toJSON(),
    issuer: name,
    serialNumber: serialNumber(),
    notBefore: new Date(now - BACKDATE_MS),
    notAfter: new Date(Math.min(root.notAfter.getTime(), now + ROOT_VALIDITY_MS)),
    signingAlgorithm,
    extensions: await authorityExtensions(root.publicKey, older.certificate),
  });
  return joinPem(certificate.toString('pem'));
}

/** The key that a certificate is asked for, read by {@link readCertificateRequest}. */
export type RequestedKey = x509.PublicKey;

/** What to write into a node's certificate. */
export interface IssueRequest {
  /** Of the certificate request nothing else is taken, least of all its names. */
  readonly key: RequestedKey;
  readonly identity: NodeIdentity;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** How long it is to be valid, in milliseconds. */
  readonly validityMs: number;
}

/**
 * Signs a node's certificate.
 *
 * @returns PEM: the certificate, and behind it what else a peer needs to verify it.
 */
export async function issueCertificate(
  authority: SigningAuthority,
  { key, identity, now, validityMs }: IssueRequest,
): Promise<string> {
  const { nodeId, role, clusterId } = identity;
  const { signingKey, signingAlgorithm, name, keyIdentifier, notAfter } = await issuerOf(authority);
  const names = role === 'manager' ? [nodeId, AUTHORITY_NAME] : [nodeId];
  const certificate = await x509.X509CertificateGenerator.create({
    publicKey: key,
    signingKey,
    subject: [{ O: [clusterId] }, { OU: [organizationalUnitOf(role)] }, { CN: [nodeId] }],
    issuer: name,
    serialNumber: serialNumber(),
    notBefore: new Date(now - BACKDATE_MS),
    // What a root has signed is worth nothing beyond the root's own end.
    notAfter: new Date(Math.min(notAfter, now + validityMs)),
    signingAlgorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([
        x509.ExtendedKeyUsage.serverAuth,
        x509.ExtendedKeyUsage.clientAuth,
      ]),
      new x509.SubjectAlternativeNameExtension(names.map((value) => ({ type: 'dns' as const, value }))),
      await x509.SubjectKeyIdentifierExtension.create(key),
      keyIdentifier,
    ],
  });
  return joinPem(certificate.toString('pem'), authority.crossSigned ?? '');
}

/** A new private key (PKCS #8, PEM) and a request for a certificate of it (PEM). The key never leaves the node. */
export async function requestCertificate(): Promise<{
  readonly privateKey: string;
  readonly request: string;
}> {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  // Whatever name stands here is overwritten by the CA.
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    keys,
    name: 'CN=node',
    signingAlgorithm: ALGORITHM,
  });
  const der = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey));
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  return { privateKey: exportKey(privateKey), request: joinPem(request.toString('pem')) };
}

/**
 * Reads a certificate request and checks it.
 *
 * @param pem - the request.
 * @throws NodeError `REQUEST_REFUSED` if it is malformed, not signed by its own key, or its key is not on P-256.
 */
export async function readCertificateRequest(pem: string): Promise<RequestedKey> {
  const refused = (what: string, cause?: unknown) =>
    new NodeError('REQUEST_REFUSED', `the certificate request ${what}`, cause);
  if (pem.length > REQUEST_BYTES_MAX) throw refused(`is longer than ${REQUEST_BYTES_MAX} bytes`);
  let request: x509.Pkcs10CertificateRequest;
  let isSigned: boolean;
  let key: KeyObject;
  try {
    request = new x509.Pkcs10CertificateRequest(pem);
    key = createPublicKey({ key: Buffer.from(request.publicKey.rawData), format: 'der', type: 'spki' });
    isSigned = await request.verify();
  } catch (error) {
    throw refused('can not be read', error);
  }
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') throw refused('must be of a key on P-256');
  if (!isSigned) throw refused('is not signed by its own key');
  return request.publicKey;
}

function authorityName(clusterId: ClusterId): x509.JsonName {
  return [{ O: [clusterId] }, { CN: [AUTHORITY_NAME] }];
}

async function authorityExtensions(
  publicKey: CryptoKey | x509.PublicKey,
  issuer?: string,
): Promise<x509.Extension[]> {
  const issuerKey = issuer === undefined ? publicKey : new x509.X509Certificate(issuer).publicKey;
  return [
    new x509.BasicConstraintsExtension(true, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    await x509.SubjectKeyIdentifierExtension.create(publicKey),
    await x509.AuthorityKeyIdentifierExtension.create(issuerKey),
  ];
}

/** A private key as it is kept: PKCS #8, PEM. */
export function exportKey(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** How many authorities may stand below this one; undefined: any number. */
export function pathLengthOf(certificate: string): number | undefined {
  const root = new x509.X509Certificate(certificate);
  return root.getExtension(x509.BasicConstraintsExtension)?.pathLength;
}

/** Whether a root may have a key of this kind. */
export function signsWith(key: KeyObject): boolean {
  return algorithmOf(key) !== undefined;
}

interface SigningAlgorithm {
  readonly name: string;
  readonly namedCurve?: string;
  readonly hash: string;
}

function algorithmOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): SigningAlgorithm | undefined {
  const { namedCurve, modulusLength = 0 } = asymmetricKeyDetails ?? {};
  if (namedCurve === 'prime256v1') return ALGORITHM;
  if (namedCurve === 'secp384r1') return { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' };
  if (asymmetricKeyType !== 'rsa' || modulusLength < 2048) return undefined;
  return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
}

interface Issuer {
  readonly signingKey: CryptoKey;
  readonly signingAlgorithm: SigningAlgorithm;
  readonly name: x509.JsonName;
  readonly keyIdentifier: x509.Extension;
  /** Milliseconds since 1970. */
  readonly notAfter: number;
}

/** To read a root and its key again takes longer than to sign with it, and a thousand nodes may join at once. */
const issuers = new WeakMap<RootAuthority, Promise<Issuer>>();

function issuerOf(authority: RootAuthority): Promise<Issuer> {
  const known = issuers.get(authority) ?? readIssuer(authority);
  issuers.set(authority, known);
  return known;
}

async function readIssuer({ certificate, privateKey }: RootAuthority): Promise<Issuer> {
  const { subjectName, publicKey, notAfter } = new x509.X509Certificate(certificate);
  const key = createPrivateKey(privateKey);
  const signingAlgorithm = algorithmOf(key);
  if (signingAlgorithm === undefined)
    throw new NodeError('CA_REFUSED', `the CA's key is none of: ${SIGNING_KEYS}`);
  const der = key.export({ type: 'pkcs8', format: 'der' });
  return {
    signingKey: await crypto.subtle.importKey('pkcs8', der, signingAlgorithm, false, ['sign']),
    signingAlgorithm,
    name: subjectName.toJSON(),
    notAfter: notAfter.getTime(),
    keyIdentifier: await x509.AuthorityKeyIdentifierExtension.create(publicKey),
  };
}

/** 16 random bytes, positive: RFC 5280 takes up to 20, and none of them negative. */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}
