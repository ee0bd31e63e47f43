/**
 * Source text of the tasks' program, for `node -e`: an HTTP server that takes a few milliseconds for each answer, and
 * ends in order at SIGTERM: from then on it refuses connections, sees through the requests that it has, and exits.
 * Plain JavaScript, so that it starts quickly.
 */
export const SERVER = `
const { createServer } = require('node:http');
const server = createServer((request, reply) => {
  const answer = () => reply.end(process.env.VERSION);
  if (request.url === '/health') answer();
  else setTimeout(answer, 3);
});
server.keepAliveTimeout = 60_000;
server.listen(process.env.PORT);
process.on('SIGTERM', () => {
  server.close(() => process.exit(0));
  // A connection that was busy then is closed as soon as it is idle.
  setInterval(() => server.closeIdleConnections(), 20);
});
`;
