/**
 * What core needs of Node: sockets for health probes.
 *
 * @packageDocumentation
 */

export { nodeProbeNetwork } from './probe-network.ts';
