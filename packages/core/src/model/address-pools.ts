/** The pools that networks get their subnets from, unless they name one. */

import * as z from 'zod';
import { overlaps, parseSubnet, type Subnet, subnetSize } from './address.ts';

/** Longest prefix of a subnet out of a pool: shorter ones hold a gateway and a task at least. */
const PREFIX_MAX = { 4: 29, 6: 120 } as const;

/** Schema of the pools of a cluster. */
export const addressPools = z
  .array(
    z.strictObject({
      /** All of the pool: `10.0.0.0/8`. */
      base: z.string(),
      /** Length of the prefix of each subnet: 24. */
      prefix: z.number().int('must be a whole number'),
    }),
  )
  .min(1, 'must have at least one pool')
  .superRefine((pools, context) => {
    const bases = pools.map(({ base }) => parseSubnet(base));
    pools.forEach(({ base, prefix }, index) => {
      const note = (field: string, message: string) =>
        context.addIssue({ code: 'custom', path: [index, field], message });
      const subnet = bases[index];
      if (!subnet) {
        note('base', `'${base}' must be a subnet such as 10.0.0.0/8, by its lowest address`);
        return;
      }
      const longest = PREFIX_MAX[subnet.family];
      if (prefix < subnet.prefix || prefix > longest)
        note('prefix', `must be from ${subnet.prefix}, that of the base, to ${longest}`);
      const other = bases.findIndex((each, at) => at < index && each && overlaps(each, subnet));
      if (other >= 0) note('base', `must not overlap with ${pools[other]?.base}`);
    });
  });

/** One pool of subnets. */
export type AddressPool = z.output<typeof addressPools>[number];

/** What goes unless the settings say otherwise. The IPv6 one is of local addresses (RFC 4193). */
export const DEFAULT_ADDRESS_POOLS: readonly AddressPool[] = [
  { base: '10.0.0.0/8', prefix: 24 },
  { base: 'fd5c:6570:b000::/40', prefix: 64 },
];

/** The subnets of a pool, in order, once around from the one that begins at `from`. */
export function* subnetsIn(
  { base, prefix }: AddressPool,
  from?: bigint,
): Generator<Subnet, undefined, undefined> {
  const pool = parseSubnet(base);
  if (!pool) return;
  const { family, first: low } = pool;
  const step = subnetSize({ family, prefix });
  const high = low + subnetSize(pool);
  const start = from === undefined || from < low || from >= high ? low : from;
  for (let first = start; first < high; first += step) yield { family, first, prefix };
  for (let first = low; first < start; first += step) yield { family, first, prefix };
}
