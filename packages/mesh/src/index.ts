/** What passes traffic on at a node: virtual addresses, published ports, names, overlay networks. */

export { type PooledTarget, type Target, TargetPool, type Wish } from './balancer/target-pool.ts';
export { TcpBalancer, type TcpListening, type TcpPolicy } from './balancer/tcp-balancer.ts';
export type * from './data-plane.ts';
