/** Why a port can't be listened on, and what to do about it, in words. */

import type { MeshProblem, MeshService } from '../data-plane.ts';
import type { ServiceListener } from './service-listeners.ts';

/** From the system's error. */
export function listenProblem(service: MeshService, listener: ServiceListener, error: unknown): MeshProblem {
  const { protocol, host, port } = listener;
  const what = `port ${port}/${protocol} of service ${service.name} can't be listened on at ${host}`;
  const subject = { kind: 'service', id: service.id } as const;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  switch (code) {
    case 'EADDRINUSE':
      return {
        subject,
        code: 'port-in-use',
        message: `${what}: something else on this node has it; stop that, or publish another port. It is tried again`,
      };
    case 'EACCES':
      return {
        subject,
        code: 'no-privileges',
        message:
          `${what}: ports below 1024 are not for this user; use a higher one, or set the system's ` +
          `net.ipv4.ip_unprivileged_port_start`,
      };
    case 'EADDRNOTAVAIL':
      return {
        subject,
        code: 'address-not-here',
        message: `${what}: this machine does not have the address; say which ones published ports answer at`,
      };
    default:
      return {
        subject,
        code: 'listen-failed',
        message: `${what}: ${error instanceof Error ? error.message : error}`,
      };
  }
}
