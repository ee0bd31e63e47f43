/** Pure: whether a network's subnet is in the way of what the node uses already. */

import { BlockList } from 'node:net';
import { familyOf, prefixOf } from '../kernel/address-text.ts';
import type { ListedRoute } from './device-listing.ts';

/**
 * A route that the subnet would be in the way of: one to a part of it, or to the same; a wider one may stay. Likewise an
 * address of a node.
 *
 * @returns who is in it, in words; undefined: nobody
 */
export function subnetConflict(
  subnet: string,
  bridge: string,
  routes: readonly ListedRoute[],
  addresses: readonly string[],
): string | undefined {
  const [base = ''] = subnet.split('/');
  const prefix = prefixOf(subnet);
  const family = familyOf(base);
  if (prefix === undefined || family === undefined) return undefined;
  const block = new BlockList();
  const name = family === 4 ? 'ipv4' : 'ipv6';
  block.addSubnet(base, prefix, name);
  for (const { dst, dev, type } of routes) {
    if (dst === 'default' || dev === bridge || (type !== undefined && type !== 'unicast')) continue;
    const [target = ''] = dst.split('/');
    const length = prefixOf(dst) ?? (family === 4 ? 32 : 128);
    if (familyOf(target) === family && length >= prefix && block.check(target, name))
      return `a route of this node leads to ${dst}${dev === undefined ? '' : ` by ${dev}`}`;
  }
  const within = addresses.find((address) => familyOf(address) === family && block.check(address, name));
  return within === undefined ? undefined : `${within} is the address of a node`;
}
