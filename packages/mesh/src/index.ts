/** What passes traffic on at a node: virtual addresses, published ports, names, overlay networks. */

export { type PooledTarget, type Target, TargetPool, type Wish } from './balancer/target-pool.ts';
export { TcpBalancer, type TcpListening, type TcpPolicy } from './balancer/tcp-balancer.ts';
export { UdpBalancer, type UdpListening, type UdpPolicy } from './balancer/udp-balancer.ts';
export type * from './data-plane.ts';
export { KernelDataPlane, type KernelDataPlaneOptions } from './kernel/kernel-data-plane.ts';
export { UserspaceDataPlane, type UserspaceDataPlaneOptions } from './userspace/userspace-data-plane.ts';
