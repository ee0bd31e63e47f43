/** `cluster.configs`. */

import type { Applied } from '../manager/api/applied.ts';
import {
  applyConfig,
  createConfig,
  findConfig,
  removeConfig,
  updateConfig,
} from '../manager/api/file-commands.ts';
import { pruneConfig, type Rotated, rotateConfig } from '../manager/api/rotation.ts';
import type { ConfigId } from '../model/ids.ts';
import { type ConfigSpecInput, configSpecSchema } from '../model/other-specs.ts';
import { parseSpec } from '../model/parse-spec.ts';
import { again, type LabelsUpdate, rotatedBefore } from './applied-again.ts';
import { type CommandOptions, type Control, commandsOn, type VersionedCommandOptions } from './control.ts';
import { ConfigReader } from './readers.ts';

const CONFIG = commandsOn('config');

/** The configs of a cluster. */
export class Configs extends ConfigReader {
  readonly #control: Control;

  constructor(control: Control) {
    super(() => control.state);
    this.#control = control;
  }

  /** Creates a config. @param data - 1 to 1,023,999 bytes. @throws InvalidSpecError, NameConflictError */
  async create(input: ConfigSpecInput, data: Uint8Array, options: CommandOptions = {}): Promise<ConfigId> {
    const spec = parseSpec(configSpecSchema, input);
    const content = new Uint8Array(data);
    return this.#control.command(
      `create config ${spec.name}`,
      options,
      (head, context) => createConfig(head, { spec, data: content }, context),
      CONFIG.create,
      (head, answer) => (answer?.id as ConfigId | undefined) ?? findConfig(head, spec.name).id,
    );
  }

  /**
   * Makes the config of that name be there with these labels. One of other content is refused: it never changes.
   *
   * @throws InvalidSpecError, PreconditionError
   */
  async apply(
    input: ConfigSpecInput,
    data: Uint8Array,
    options: CommandOptions = {},
  ): Promise<Applied<ConfigId>> {
    const spec = parseSpec(configSpecSchema, input);
    const content = new Uint8Array(data);
    return this.#control.command(
      `apply config ${spec.name}`,
      options,
      (head, context) => applyConfig(head, { spec, data: content }, context),
      CONFIG.apply,
      (head, answer) => again(answer, () => findConfig(head, spec.name)),
    );
  }

  /** Replaces a config's labels; its content never changes. @throws NotFoundError, VersionConflictError */
  update(ref: string, update: LabelsUpdate, options: VersionedCommandOptions = {}): Promise<ConfigId> {
    return this.#control.command(
      `update config ${ref}`,
      options,
      (head) => {
        const config = findConfig(head, ref);
        return updateConfig(
          config,
          parseSpec(configSpecSchema, { ...config.spec, ...update }),
          options.version,
        );
      },
      CONFIG.update,
      (head, answer) => (answer?.id as ConfigId | undefined) ?? findConfig(head, ref).id,
    );
  }

  /**
   * Gives a config newer content, and updates every service that uses it to the new revision: as `secrets.rotate`
   * does.
   *
   * @throws NotFoundError, InvalidSpecError, VersionConflictError
   */
  async rotate(
    ref: string,
    data: Uint8Array,
    options: VersionedCommandOptions = {},
  ): Promise<Rotated<ConfigId>> {
    const content = new Uint8Array(data);
    return this.#control.command(
      `rotate config ${ref}`,
      options,
      (head) => rotateConfig(head, findConfig(head, ref), content, options.version),
      CONFIG.update,
      (head, answer) => rotatedBefore(answer, findConfig(head, ref)),
    );
  }

  /**
   * Forgets the older contents of a config that nobody refers to any more.
   *
   * @returns the numbers of the revisions that were forgotten.
   * @throws NotFoundError
   */
  prune(ref: string, options: CommandOptions = {}): Promise<readonly number[]> {
    return this.#control.command(
      `prune config ${ref}`,
      options,
      (head) => pruneConfig(head, findConfig(head, ref)),
      CONFIG.update,
      () => [],
    );
  }

  /** Removes a config that no service refers to. @throws NotFoundError, InUseError, VersionConflictError */
  remove(ref: string, options: VersionedCommandOptions = {}): Promise<ConfigId> {
    return this.#control.command(
      `remove config ${ref}`,
      options,
      (head) => removeConfig(head, findConfig(head, ref), options.version),
      CONFIG.remove,
      (_, answer) => (answer?.id ?? ref) as ConfigId,
    );
  }
}
