/** Networks of swarm scope, both ways. */

import type { Network, NetworkSpecInput } from '@skep/core';
import type { Fields } from '../json/fields.ts';
import { timestamp } from '../json/time.ts';
import { Refusal } from '../server/refusal.ts';
import { VXLAN_ID } from './attachment-out.ts';

/** The engine's `Network`, in a list and inspected. */
export function networkOut({ id, createdAt, spec, allocation }: Network) {
  const { name, driver, ipv6, subnets, internal, attachable, ingress, options, labels } = spec;
  return {
    Name: name,
    Id: id,
    Created: timestamp(createdAt),
    Scope: 'swarm',
    Driver: driver,
    EnableIPv4: true,
    EnableIPv6: ipv6,
    IPAM: {
      Driver: 'default',
      Options: null,
      Config: (allocation?.subnets ?? subnets).map(({ subnet, range, gateway }) => ({
        Subnet: subnet,
        IPRange: range,
        Gateway: gateway,
      })),
    },
    Internal: internal,
    Attachable: attachable,
    Ingress: ingress,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Containers: null,
    Options: allocation === undefined ? options : { ...options, [VXLAN_ID]: String(allocation.vni) },
    Labels: labels,
  };
}

/** The name and the driver that are asked for. */
export function networkWish(body: Fields): {
  readonly name: string;
  readonly driver: string;
  readonly scope: string;
} {
  const name = body.text('Name') ?? '';
  if (name.trim() === '') throw new Refusal(400, 'invalid name: name is empty');
  const driver = body.text('Driver') || 'bridge';
  return { name, driver, scope: body.text('Scope') || (driver === 'overlay' ? 'swarm' : 'local') };
}

/** A spec from the engine's `CreateRequest`. @throws Refusal for what a swarm's network can't be */
export function networkSpecFrom(body: Fields): NetworkSpecInput {
  const { name, driver } = networkWish(body);
  if (body.flag('ConfigOnly') || body.fields('ConfigFrom')?.text('Network')) {
    throw new Refusal(501, 'networks that are made from a configuration are not supported');
  }
  const ipam = body.fields('IPAM');
  const manager = ipam?.text('Driver') || 'default';
  if (manager !== 'default') throw new Refusal(404, `plugin "${manager}" not found`);
  return {
    name,
    driver,
    labels: body.textMap('Labels'),
    options: body.textMap('Options'),
    attachable: body.flag('Attachable') ?? false,
    internal: body.flag('Internal') ?? false,
    ingress: body.flag('Ingress') ?? false,
    ipv6: body.flag('EnableIPv6') ?? false,
    subnets: (ipam?.list('Config') ?? []).map((config) => {
      const range = config.text('IPRange');
      const gateway = config.text('Gateway');
      return {
        subnet: config.text('Subnet') ?? '',
        ...(range ? { range } : {}),
        ...(gateway ? { gateway } : {}),
      };
    }),
  };
}
