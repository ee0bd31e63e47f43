/** The page's own files, read once, and told so that browsers keep what never changes. */

import { readFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { brotliCompress, constants } from 'node:zlib';
import { RefusedRequest } from './refusal.ts';

const TYPES = {
  'index.html': 'text/html; charset=utf-8',
  'view.js': 'text/javascript; charset=utf-8',
  'view.css': 'text/css; charset=utf-8',
  'icon.svg': 'image/svg+xml',
} as const;

type FileName = keyof typeof TYPES;

/** Nothing but what comes from here runs, loads or is talked to; nobody frames the page. */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join('; ');

interface PageFile {
  readonly plain: Buffer;
  readonly brotli: Buffer;
}

/** The files of one directory. */
export class PageFiles {
  readonly #dir: string;
  readonly #files = new Map<FileName, Promise<PageFile>>();

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** True for a path that is one of the page's files. */
  has(path: string): boolean {
    return path === '/' || path.slice(1) in TYPES;
  }

  /** @throws RefusedRequest 500 when the page was not built */
  async send(path: string, encodings: string, response: ServerResponse): Promise<void> {
    const name = path === '/' ? 'index.html' : (path.slice(1) as FileName);
    const read = this.#files.get(name) ?? this.#read(name);
    this.#files.set(name, read);
    const { plain, brotli } = await read.catch(() => {
      this.#files.delete(name);
      throw new RefusedRequest(500, 'the page was not built: its files are missing');
    });
    const isBrotli = /\bbr\b/.test(encodings);
    const body = isBrotli ? brotli : plain;
    response.writeHead(200, {
      'content-type': TYPES[name],
      'content-length': body.length,
      'cache-control': 'no-cache',
      vary: 'accept-encoding',
      ...(isBrotli ? { 'content-encoding': 'br' } : {}),
    });
    response.end(body);
  }

  async #read(name: FileName): Promise<PageFile> {
    const plain = await readFile(join(this.#dir, name));
    const params = { [constants.BROTLI_PARAM_QUALITY]: 9 };
    const brotli = await new Promise<Buffer>((resolve, reject) => {
      brotliCompress(plain, { params }, (error, bytes) => (error ? reject(error) : resolve(bytes)));
    });
    return { plain, brotli };
  }
}
