/**
 * A running node's key, certificate and trusted roots: what TLS is given. They change while the node runs, all at once,
 * and whoever holds connections is told.
 */

import { constants } from 'node:crypto';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import type { ClusterId } from '@skep/core';
import { identityOf, type NodeIdentity, parseSubject } from './identity.ts';
import { leafOf, type Validity, validityOf } from './pem.ts';

/** What a node proves itself with, as PEM. */
export interface CredentialTexts {
  /** PKCS #8. Secret. */
  readonly privateKey: string;
  /** The node's certificate, and what else a peer needs to verify it. */
  readonly chain: string;
  /** The roots that are trusted. */
  readonly roots: string;
}

/** The options for TLS that these give, on both sides of a connection. */
export function tlsOptionsOf({ privateKey, chain, roots }: CredentialTexts): SecureContextOptions {
  return {
    key: privateKey,
    cert: chain,
    ca: roots,
    minVersion: 'TLSv1.3',
    // A session that is taken up again would not be verified against the roots of today.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

/** TLS without a certificate of one's own, as a joiner has it. @param roots - PEM; none: nothing is verified. */
export function strangersContext(roots?: string): SecureContext {
  return createSecureContext({ minVersion: 'TLSv1.3', ...(roots === undefined ? {} : { ca: roots }) });
}

/** The credentials of a running node. */
export class Credentials {
  readonly #listeners = new Set<() => void>();
  #texts: CredentialTexts;
  #context: SecureContext;
  #identity: NodeIdentity;
  #validity: Validity;

  /** @throws NodeError `CERTIFICATE_UNTRUSTED` if the certificate can't be read or names no node. */
  constructor(texts: CredentialTexts) {
    this.#texts = texts;
    this.#context = createSecureContext(tlsOptionsOf(texts));
    const leaf = leafOf(texts.chain);
    this.#identity = identityOf(parseSubject(leaf.subject));
    this.#validity = validityOf(leaf);
  }

  get texts(): CredentialTexts {
    return this.#texts;
  }

  get context(): SecureContext {
    return this.#context;
  }

  /** Who the node is, by its certificate. */
  get identity(): NodeIdentity {
    return this.#identity;
  }

  get clusterId(): ClusterId {
    return this.#identity.clusterId;
  }

  get validity(): Validity {
    return this.#validity;
  }

  /** Puts others in their place. What is not given stays. */
  replace(change: Partial<CredentialTexts>): void {
    const next = new Credentials({ ...this.#texts, ...change });
    this.#texts = next.#texts;
    this.#context = next.#context;
    this.#identity = next.#identity;
    this.#validity = next.#validity;
    for (const listener of [...this.#listeners]) listener();
  }

  /** Calls back after each change. Returns the way to stop. */
  onChange(listener: () => void): () => void {
    const own = () => listener();
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }
}
