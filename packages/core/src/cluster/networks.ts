/** `cluster.networks`. */

import type { Applied } from '../manager/api/applied.ts';
import {
  applyNetwork,
  createNetwork,
  findNetwork,
  removeNetwork,
  updateNetwork,
} from '../manager/api/file-commands.ts';
import type { NetworkId } from '../model/ids.ts';
import { type NetworkSpecInput, networkSpecSchema } from '../model/network.ts';
import { parseSpec } from '../model/parse-spec.ts';
import { again, type LabelsUpdate } from './applied-again.ts';
import { type CommandOptions, type Control, commandsOn, type VersionedCommandOptions } from './control.ts';
import { NetworkReader } from './readers.ts';

const NETWORK = commandsOn('network');

/** The networks of a cluster: stored and versioned here, put to work by the mesh. */
export class Networks extends NetworkReader {
  readonly #control: Control;

  constructor(control: Control) {
    super(() => control.state);
    this.#control = control;
  }

  /** Creates a network. @throws InvalidSpecError, NameConflictError */
  async create(input: NetworkSpecInput, options: CommandOptions = {}): Promise<NetworkId> {
    const spec = parseSpec(networkSpecSchema, input);
    return this.#control.command(
      `create network ${spec.name}`,
      options,
      (head, context) => createNetwork(head, spec, context),
      NETWORK.create,
      (head, answer) => (answer?.id as NetworkId | undefined) ?? findNetwork(head, spec.name).id,
    );
  }

  /**
   * Makes the network of that name be as the spec says, and tells what that took. Asking twice changes nothing.
   *
   * @throws InvalidSpecError, PreconditionError
   */
  async apply(input: NetworkSpecInput, options: CommandOptions = {}): Promise<Applied<NetworkId>> {
    const spec = parseSpec(networkSpecSchema, input);
    return this.#control.command(
      `apply network ${spec.name}`,
      options,
      (head, context) => applyNetwork(head, spec, context),
      NETWORK.apply,
      (head, answer) => again(answer, () => findNetwork(head, spec.name)),
    );
  }

  /** Replaces a network's labels. @throws NotFoundError, VersionConflictError */
  update(ref: string, update: LabelsUpdate, options: VersionedCommandOptions = {}): Promise<NetworkId> {
    return this.#control.command(
      `update network ${ref}`,
      options,
      (head) => {
        const network = findNetwork(head, ref);
        return updateNetwork(
          network,
          parseSpec(networkSpecSchema, { ...network.spec, ...update }),
          options.version,
        );
      },
      NETWORK.update,
      (head, answer) => (answer?.id as NetworkId | undefined) ?? findNetwork(head, ref).id,
    );
  }

  /** Removes a network that no service refers to. @throws NotFoundError, InUseError, VersionConflictError */
  remove(ref: string, options: VersionedCommandOptions = {}): Promise<NetworkId> {
    return this.#control.command(
      `remove network ${ref}`,
      options,
      (head) => removeNetwork(head, findNetwork(head, ref), options.version),
      NETWORK.remove,
      (_, answer) => (answer?.id ?? ref) as NetworkId,
    );
  }
}
