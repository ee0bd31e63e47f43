/** What passes traffic on at a node: virtual addresses, published ports, names, overlay networks. */

export type * from './data-plane.ts';
