/** What the kernel says of its devices, addresses and routes, in the parts that the overlay reads. */

import type { RunCommand } from '../kernel/command.ts';

/** A device, as `ip -j -d address` lists it. */
export interface ListedDevice {
  readonly ifname: string;
  readonly mtu: number;
  readonly altnames?: readonly string[];
  /** The bridge that it is a port of. */
  readonly master?: string;
  readonly flags: readonly string[];
  readonly linkinfo?: {
    readonly info_kind?: string;
    readonly info_data?: {
      readonly id?: number;
      readonly port?: number;
      readonly local?: string;
      readonly local6?: string;
    };
  };
  readonly addr_info: readonly ListedAddress[];
}

/** An address of a device. */
export interface ListedAddress {
  readonly family: string;
  readonly local?: string;
  readonly prefixlen: number;
}

/** A route, as `ip -j route` lists it. */
export interface ListedRoute {
  readonly type?: string;
  readonly dst: string;
  readonly gateway?: string;
  readonly dev?: string;
  readonly protocol?: string | number;
}

/** All devices. */
export async function listDevices(run: RunCommand): Promise<ReadonlyMap<string, ListedDevice>> {
  const devices = parse<ListedDevice>(await run('ip', ['-j', '-d', 'address', 'show']));
  return new Map(devices.map((device) => [device.ifname, device]));
}

/** Where packets of a VXLAN device go that are for everybody. */
export async function listPeers(run: RunCommand, device: string): Promise<readonly string[]> {
  const text = await run('bridge', ['-j', 'fdb', 'show', 'dev', device]);
  return parse<{ readonly mac?: string; readonly dst?: string }>(text).flatMap(({ mac, dst }) =>
    mac === EVERYBODY && dst !== undefined ? [dst] : [],
  );
}

/** Routes of one family in a table. */
export async function listRoutes(
  run: RunCommand,
  family: 4 | 6,
  args: readonly string[] = [],
): Promise<readonly ListedRoute[]> {
  return parse(await run('ip', [`-${family}`, '-j', 'route', 'show', ...args]));
}

/** The address of an entry that stands for all that are not known. */
export const EVERYBODY = '00:00:00:00:00:00';

/** The tools write nothing where there is nothing, and `{}` for what was filtered out. */
function parse<T>(text: string): readonly T[] {
  const trimmed = text.trim();
  if (trimmed === '') return [];
  const listed = JSON.parse(trimmed) as readonly T[];
  return listed.filter((each) => Object.keys(each as object).length > 0);
}
