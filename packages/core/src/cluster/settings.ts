/** The settings of the cluster itself. Users find them at the cluster: `cluster.info`, `cluster.update`. */

import { updateCluster } from '../manager/api/cluster-commands.ts';
import { type ClusterSpecInput, clusterSpecSchema } from '../model/other-specs.ts';
import { parseSpec } from '../model/parse-spec.ts';
import { type Control, commandsOn, type VersionedCommandOptions } from './control.ts';

/** The settings of a cluster. */
export class Settings {
  readonly #control: Control;

  constructor(control: Control) {
    this.#control = control;
  }

  /** See `Cluster.update`. */
  update(change: ClusterSpecInput, options: VersionedCommandOptions = {}): Promise<void> {
    return this.#control.command(
      'update cluster',
      options,
      (head) => {
        const spec = parseSpec(clusterSpecSchema, { ...head.cluster?.spec, ...change });
        return updateCluster(head, spec, options.version);
      },
      commandsOn('cluster').update,
      () => undefined,
    );
  }
}
