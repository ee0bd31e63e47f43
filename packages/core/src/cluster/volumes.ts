/** `cluster.volumes`: where volumes live that tasks follow. The volumes themselves are the drivers'. */

import { forgetVolume } from '../manager/api/volume-commands.ts';
import { type CommandOptions, type Control, commandsOn } from './control.ts';
import { VolumeReader } from './readers.ts';

/** The volumes of a cluster that live on one node each. */
export class Volumes extends VolumeReader {
  readonly #control: Control;

  constructor(control: Control) {
    super(() => control.state);
    this.#control = control;
  }

  /**
   * Forgets where a volume lives, for a node that does not come back: the next task that mounts it may go anywhere, and
   * finds an empty one there. The data is not touched.
   *
   * @throws NotFoundError
   */
  forget(name: string, options: CommandOptions = {}): Promise<string> {
    return this.#control.command(
      `forget volume ${name}`,
      options,
      (head) => forgetVolume(head, name),
      commandsOn('volume').remove,
      (_, answer) => answer?.id ?? name,
    );
  }
}
