/**
 * What core needs of Node: sockets for health probes.
 *
 * @packageDocumentation
 */

export { nodeProbeNetwork } from './tcp-probe.ts';
