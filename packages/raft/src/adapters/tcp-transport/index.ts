/**
 * Raft's transport over TCP, for Node.
 *
 * @packageDocumentation
 */

export type { SharedPort, TcpTransportOptions, TcpTransportTls } from './options.ts';
export { TcpTransport } from './tcp-transport.ts';
