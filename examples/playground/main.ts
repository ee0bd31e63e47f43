/**
 * `npm run playground`: puts the playground together as a static bundle, and serves it on loopback. `-- --out DIR` only
 * writes it: the files run from any web server, and from the disk.
 */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CONTENT_SECURITY_POLICY, PageFiles } from '../../packages/view/src/http/page-files.ts';
import { buildPlayground } from './build-playground.ts';

const { values } = parseArgs({
  options: { out: { type: 'string' }, port: { type: 'string', default: '8090' } },
});
const dir = values.out ?? join(import.meta.dirname, 'dist');
await buildPlayground(dir);
if (values.out === undefined) {
  const files = new PageFiles(dir);
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://playground').pathname;
    if (!files.has(path)) {
      response.writeHead(404).end();
      return;
    }
    response.setHeader('content-security-policy', CONTENT_SECURITY_POLICY);
    files
      .send(path, String(request.headers['accept-encoding'] ?? ''), response)
      .catch(() => response.destroy());
  });
  server.once('error', () => server.listen(0, '127.0.0.1'));
  server.on('listening', () => {
    const { port } = server.address() as AddressInfo;
    console.log(`The playground is at http://127.0.0.1:${port}/ (Ctrl-C ends it)`);
  });
  server.listen(Number(values.port), '127.0.0.1');
} else {
  console.log(`The playground is in ${dir}: open its index.html, or put it on any web server`);
}
