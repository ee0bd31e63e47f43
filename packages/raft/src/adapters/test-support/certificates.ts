/** A certificate authority for tests: X.509 laid out by hand, since Node signs but makes no certificates. */

import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';

const OID = {
  ecdsaWithSha256: '06082a8648ce3d040302',
  commonName: '0603550403',
  basicConstraints: '0603551d13',
  subjectAltName: '0603551d11',
} as const;

/** IPv4 loopback, for programs that check under which address they have dialled. */
const LOOPBACK = Uint8Array.of(127, 0, 0, 1);

function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  const { length } = body;
  const lengthBytes =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...lengthBytes]), body]);
}

const sequence = (...parts: readonly Uint8Array[]) => der(0x30, ...parts);
const object = (oid: string) => Buffer.from(oid, 'hex');
const time = (text: string) => der(0x17, Buffer.from(text));
const algorithm = sequence(object(OID.ecdsaWithSha256));
const named = (name: string) =>
  sequence(der(0x31, sequence(object(OID.commonName), der(0x0c, Buffer.from(name)))));

interface Signed {
  readonly key: KeyObject;
  readonly pem: string;
}

/** Key and certificate of one member, and the authority that signed it, as PEM. */
export interface TestIdentity {
  readonly key: string;
  readonly cert: string;
  readonly ca: string;
}

/** Signs certificates of members. */
export class TestAuthority {
  readonly #name: string;
  readonly #own: Signed;
  #serial = 1;

  constructor(name = 'test authority') {
    this.#name = name;
    this.#own = this.#issue(name, undefined);
  }

  /** Key, certificate and this authority, as a member uses them. The certificate's common name is the member. */
  contextOf(member: string): SecureContext {
    return createSecureContext({ ...this.identityOf(member), minVersion: 'TLSv1.3' });
  }

  /** The same as text, for another process. */
  identityOf(member: string): TestIdentity {
    const { key, pem } = this.#issue(member, this.#own.key);
    return { key: key.export({ type: 'pkcs8', format: 'pem' }).toString(), cert: pem, ca: this.#own.pem };
  }

  #issue(subject: string, issuerKey: KeyObject | undefined): Signed {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    const isAuthority = issuerKey === undefined;
    const constraints = isAuthority ? sequence(der(0x01, Buffer.of(0xff))) : sequence();
    const extensions = [
      sequence(object(OID.basicConstraints), der(0x01, Buffer.of(0xff)), der(0x04, constraints)),
      ...(isAuthority
        ? []
        : [sequence(object(OID.subjectAltName), der(0x04, sequence(der(0x87, LOOPBACK))))]),
    ];
    const body = sequence(
      der(0xa0, der(0x02, Buffer.of(2))),
      der(0x02, Buffer.of(this.#serial++)),
      algorithm,
      named(this.#name),
      sequence(time('200101000000Z'), time('491231235959Z')),
      named(subject),
      publicKey.export({ type: 'spki', format: 'der' }),
      der(0xa3, sequence(...extensions)),
    );
    const signature = sign('sha256', body, issuerKey ?? privateKey);
    const certificate = sequence(body, algorithm, der(0x03, Buffer.of(0), signature));
    const lines = (certificate.toString('base64').match(/.{1,64}/g) ?? []).join('\n');
    return { key: privateKey, pem: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n` };
  }
}
