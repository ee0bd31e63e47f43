/** Places in networks as the engine tells them: a service's virtual addresses, and where a task is attached. */

import type { Network, Service, Task } from '@skep/core';
import { filledList, filledMap } from '../json/absent.ts';
import { timestamp } from '../json/time.ts';
import type { Names } from './names.ts';

/** The engine's name for a network's number on the wire. */
export const VXLAN_ID = 'com.docker.network.driver.overlay.vxlanid_list';

type Attachments = NonNullable<Task['attachments']>;

/** The engine's `VirtualIPs`. Undefined: none. */
export function virtualIpsOut({ vips = [] }: Service, names: Names) {
  return filledList(
    vips.flatMap(({ networkId, addresses }) =>
      withPrefixes(addresses, names.network(networkId)).map((Addr) => ({ NetworkID: networkId, Addr })),
    ),
  );
}

/** The engine's `NetworksAttachments`. Undefined: none. */
export function attachmentsOut(attachments: Attachments, names: Names) {
  return filledList(
    attachments.flatMap(({ networkId, addresses }) => {
      const network = names.network(networkId);
      if (network === undefined) return [];
      return [{ Network: attachedNetworkOut(network), Addresses: withPrefixes(addresses, network) }];
    }),
  );
}

/** The engine's `swarm.Network`, which is another than that of `/networks`. */
function attachedNetworkOut({ id, version, createdAt, updatedAt, spec, allocation }: Network) {
  const { name, labels, driver, options, internal, attachable, ingress, ipv6 } = spec;
  const isTrue = (flag: boolean) => (flag ? true : undefined);
  return {
    ID: id,
    Version: { Index: version },
    CreatedAt: timestamp(createdAt),
    UpdatedAt: timestamp(updatedAt),
    Spec: {
      Name: name,
      Labels: labels,
      DriverConfiguration: { Name: driver, Options: filledMap(options) },
      IPv6Enabled: isTrue(ipv6),
      Internal: isTrue(internal),
      Attachable: isTrue(attachable),
      Ingress: isTrue(ingress),
      IPAMOptions: { Driver: { Name: 'default' } },
      Scope: 'swarm',
    },
    DriverState: {
      Name: driver,
      Options: allocation && { ...options, [VXLAN_ID]: String(allocation.vni) },
    },
    IPAMOptions: {
      Driver: { Name: 'default' },
      Configs: filledList(
        (allocation?.subnets ?? []).map(({ subnet, range, gateway }) => ({
          Subnet: subnet,
          Range: range,
          Gateway: gateway,
        })),
      ),
    },
  };
}

/** Addresses with the length of their subnet's prefix: `10.0.1.5/24`. */
function withPrefixes(addresses: readonly string[], network: Network | undefined): string[] {
  const subnets = network?.allocation?.subnets ?? [];
  return addresses.map((address) => {
    const isV6 = address.includes(':');
    const own = subnets.find(({ subnet }) => subnet.includes(':') === isV6);
    return own === undefined ? address : `${address}/${own.subnet.split('/')[1]}`;
  });
}
