/**
 * A registry of images in the test's own process: as much of the OCI distribution specification (v1.1) as a pull
 * asks for, behind tokens, with the means to refuse, to be slow and to expire.
 */

import { createHash } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { findProgram } from './engine-requirements.ts';
import { tinyImage } from './tiny-image.ts';

/** What a registry was asked. */
export interface RegistryRequest {
  readonly method: string;
  readonly path: string;
  /** User and password of a request for a token, if it had any. */
  readonly credentials?: string;
}

const MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
const digestOf = (data: Buffer | string) => `sha256:${createHash('sha256').update(data).digest('hex')}`;

/** One registry on the loopback, with one image under any name that begins with `tiny`. */
export class TinyRegistry {
  readonly requests: RegistryRequest[] = [];
  /** `user:password` that tokens are given for. Absent: no token is asked for. */
  credentials: string | undefined;
  /** Layers are kept back until this resolves. */
  hold: Promise<void> = Promise.resolve();
  readonly #server = http.createServer((request, response) => void this.#answer(request, response));
  readonly #blobs = new Map<string, Buffer>();
  #manifest = Buffer.alloc(0);
  #tokens = 0;

  /** Host and port, as references begin. */
  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Begins to listen. */
  async start(): Promise<void> {
    const tar = await tinyImage(findProgram('busybox') ?? 'busybox');
    const layer = gzipSync(tar, { level: 1 });
    const config = Buffer.from(
      JSON.stringify({
        architecture: 'amd64',
        os: 'linux',
        config: { Env: ['PATH=/bin'] },
        rootfs: { type: 'layers', diff_ids: [digestOf(tar)] },
        history: [{ created: '2026-01-01T00:00:00Z' }],
      }),
    );
    for (const blob of [layer, config]) this.#blobs.set(digestOf(blob), blob);
    this.#manifest = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: MANIFEST,
        config: describeBlob('application/vnd.docker.container.image.v1+json', config),
        layers: [describeBlob('application/vnd.docker.image.rootfs.diff.tar.gzip', layer)],
      }),
    );
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  /** Ends at once. */
  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  /** Tokens given so far are worth nothing any more. */
  expireTokens(): void {
    this.#tokens += 1;
  }

  async #answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', `http://${this.host}`);
    const { authorization = '' } = request.headers;
    const basic = authorization.startsWith('Basic ')
      ? Buffer.from(authorization.slice('Basic '.length), 'base64').toString()
      : undefined;
    this.requests.push({
      method: request.method ?? '',
      path: url.pathname,
      ...(basic !== undefined && { credentials: basic }),
    });
    const refuse = (status: number, code: string, message: string, headers: http.OutgoingHttpHeaders = {}) =>
      response
        .writeHead(status, { 'Content-Type': 'application/json', ...headers })
        .end(JSON.stringify({ errors: [{ code, message }] }));
    if (url.pathname === '/token') {
      if (basic !== this.credentials)
        return void refuse(401, 'UNAUTHORIZED', 'incorrect username or password');
      return void response.end(JSON.stringify({ token: this.#token(), expires_in: 60 }));
    }
    if (this.credentials !== undefined && authorization !== `Bearer ${this.#token()}`) {
      const challenge = `Bearer realm="http://${this.host}/token",service="tiny"`;
      return void refuse(401, 'UNAUTHORIZED', 'authentication required', { 'WWW-Authenticate': challenge });
    }
    const [, name, kind, reference = ''] =
      /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(url.pathname) ?? [];
    if (url.pathname === '/v2/') return void response.end('{}');
    if (name === undefined || !name.startsWith('tiny'))
      return void refuse(404, 'MANIFEST_UNKNOWN', 'manifest unknown');
    if (kind === 'manifests') {
      response.setHeader('Content-Type', MANIFEST);
      response.setHeader('Docker-Content-Digest', digestOf(this.#manifest));
      response.setHeader('Content-Length', this.#manifest.length);
      return void response.end(request.method === 'HEAD' ? undefined : this.#manifest);
    }
    const blob = this.#blobs.get(reference);
    if (blob === undefined) return void refuse(404, 'BLOB_UNKNOWN', 'blob unknown');
    await this.hold;
    response.end(blob);
  }

  #token(): string {
    return `token-${this.#tokens}`;
  }
}

function describeBlob(mediaType: string, blob: Buffer) {
  return { mediaType, size: blob.length, digest: digestOf(blob) };
}
