/** The root of a swarm's certificates, as the engine's `TLSInfo`. */

import { X509Certificate } from 'node:crypto';

/** The engine's `TLSInfo`. @param root - certificate, PEM */
export function trustOut(root: string) {
  const certificate = new X509Certificate(root);
  return {
    TrustRoot: root.endsWith('\n') ? root : `${root}\n`,
    CertIssuerSubject: subjectOf(certificate.raw).toString('base64'),
    CertIssuerPublicKey: certificate.publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
  };
}

/** In the part of a certificate that is signed, the subject is the sixth field: RFC 5280, 4.1. */
const SUBJECT_FIELD = 5;

/** The subject as it is encoded, which Node tells only as text. */
function subjectOf(certificate: Buffer): Buffer {
  const signed = contentOf(contentOf(certificate));
  let rest = signed;
  for (let field = 0; field < SUBJECT_FIELD; field++) rest = rest.subarray(sizeOf(rest));
  return rest.subarray(0, sizeOf(rest));
}

/** What the first DER element of some bytes holds. */
function contentOf(bytes: Buffer): Buffer {
  const { header, length } = headOf(bytes);
  return bytes.subarray(header, header + length);
}

function sizeOf(bytes: Buffer): number {
  const { header, length } = headOf(bytes);
  return header + length;
}

/** Lengths above 127 are told by so many bytes that follow: X.690, 8.1.3. */
function headOf(bytes: Buffer): { readonly header: number; readonly length: number } {
  const first = bytes[1] ?? 0;
  if (first < 0x80) return { header: 2, length: first };
  const more = first & 0x7f;
  return { header: 2 + more, length: bytes.readUIntBE(2, more) };
}
