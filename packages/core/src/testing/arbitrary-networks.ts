/** Arbitrary networks, and places in them. Needs fast-check, so it is no part of the published entries. */

import type fc from 'fast-check';
import { type NetworkAllocation, type NetworkSubnet, networkSpecSchema } from '../model/network.ts';
import { anyId, anyLabels, anyText, listOf, natural, record, shape } from './arbitrary-values.ts';

/** Any spec of a network. */
export const anyNetworkSpec = record({ name: anyText, labels: anyLabels, options: anyLabels }).map(
  (spec) => ({
    ...networkSpecSchema.parse({ name: 'net' }),
    ...spec,
  }),
);
/** Anything that a network could have been given. */
export const anyNetworkAllocation: fc.Arbitrary<NetworkAllocation> = record({
  subnets: listOf(
    shape<NetworkSubnet>({ subnet: anyText, range: anyText, gateway: anyText }, ['subnet', 'gateway']),
  ),
  vni: natural,
});
/** Any places in networks. */
export const anyAttachments = listOf(record({ networkId: anyId<never>(), addresses: listOf(anyText) }));
