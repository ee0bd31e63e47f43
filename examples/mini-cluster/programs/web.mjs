/**
 * The website of examples/stacks/hello.yaml: says which task answers. It listens on PORT, which the process driver
 * gives it, at the address HOST if there is one, and ends by itself on SIGTERM, after the answers under way.
 */

import { createServer } from 'node:http';
import { hostname } from 'node:os';

const { env } = process;
const port = Number(env.PORT ?? 8080);
const me = {
  task: env.SKEP_TASK_NAME ?? `pid-${process.pid}`,
  slot: env.SKEP_TASK_SLOT ?? '-',
  node: env.SKEP_NODE_HOSTNAME ?? env.SKEP_NODE_ID ?? hostname(),
};

const server = createServer((request, response) => {
  const { pathname } = new URL(request.url ?? '/', 'http://localhost');
  const [status, text] =
    pathname === '/health'
      ? [200, 'ok\n']
      : pathname === '/'
        ? [200, `${env.GREETING ?? 'Hello'}: task ${me.task}, slot ${me.slot}, node ${me.node}\n`]
        : [404, 'not found\n'];
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', connection: 'close' });
  response.end(text);
});

server.on('error', (error) => {
  console.error(error.message);
  process.exit(1);
});
server.listen(port, env.HOST, () => console.log(`${me.task} listens on port ${server.address().port}`));

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, () => {
    console.log(`${me.task} ends on ${signal}`);
    server.close(() => process.exit(0));
    server.closeIdleConnections();
  });
}
