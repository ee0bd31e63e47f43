/** The collections of a cluster that carry out commands: as they do it here, and as users have them, whoever leads. */

import { type CommandForwarder, forwarding } from './command-forwarder.ts';
import { Configs } from './configs.ts';
import type { Control } from './control.ts';
import { Networks } from './networks.ts';
import { Nodes } from './nodes.ts';
import { Rebalancing } from './rebalancing.ts';
import { SealedRecords } from './sealed-records.ts';
import { Secrets } from './secrets.ts';
import { Services } from './services.ts';
import { Settings } from './settings.ts';
import { Volumes } from './volumes.ts';

/** All of them, by the names that commands go by. */
export type Collections = ReturnType<typeof collectionsOn>;

/** The collections as they carry commands out here. @param readTask - how the output of one task is read */
export function collectionsOn(control: Control, readTask: ConstructorParameters<typeof Services>[1]) {
  return {
    services: new Services(control, readTask),
    nodes: new Nodes(control),
    networks: new Networks(control),
    secrets: new Secrets(control),
    configs: new Configs(control),
    records: new SealedRecords(control),
    rebalance: new Rebalancing(control),
    settings: new Settings(control),
    volumes: new Volumes(control),
  };
}

/** The same, with commands that go to the member that leads. Without a forwarder, they are carried out here or nowhere. */
export function routedTo(
  collections: Collections,
  control: Control,
  forwarder: CommandForwarder | undefined,
): Collections {
  if (!forwarder) return collections;
  const routed = Object.entries(collections).map(([name, collection]) => {
    return [name, forwarding<object>(name, collection, control, forwarder)] as const;
  });
  return Object.fromEntries(routed) as Collections;
}
