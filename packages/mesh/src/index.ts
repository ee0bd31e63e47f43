/** What passes traffic on at a node: virtual addresses, published ports, names, overlay networks. */

export { type PooledTarget, type Target, TargetPool, type Wish } from './balancer/target-pool.ts';
export { TcpBalancer, type TcpListening, type TcpPolicy } from './balancer/tcp-balancer.ts';
export { UdpBalancer, type UdpListening, type UdpPolicy } from './balancer/udp-balancer.ts';
export type * from './data-plane.ts';
export { DnsServer, type DnsServerOptions } from './dns/dns-server.ts';
export type { Resolver } from './dns/forwarder.ts';
export { type NameAddresses, NameTable, networkAddresses, type Scope } from './dns/name-table.ts';
export { KernelDataPlane, type KernelDataPlaneOptions } from './kernel/kernel-data-plane.ts';
export { MeshIndex, type Touched } from './mesh-index.ts';
export { UserspaceDataPlane, type UserspaceDataPlaneOptions } from './userspace/userspace-data-plane.ts';
