/** `cluster.networks`, `cluster.secrets` and `cluster.configs`. */

import type { Applied } from '../manager/api/applied.ts';
import {
  applyConfig,
  applyNetwork,
  applySecret,
  createConfig,
  createNetwork,
  createSecret,
  findConfig,
  findNetwork,
  findSecret,
  removeConfig,
  removeNetwork,
  removeSecret,
  updateConfig,
  updateNetwork,
  updateSecret,
} from '../manager/api/file-commands.ts';
import type { ConfigId, NetworkId, SecretId } from '../model/ids.ts';
import type { Config, Network, Secret } from '../model/objects.ts';
import {
  type ConfigSpecInput,
  configSpecSchema,
  type NetworkSpecInput,
  networkSpecSchema,
  type SecretSpecInput,
  secretSpecSchema,
} from '../model/other-specs.ts';
import { parseSpec } from '../model/parse-spec.ts';
import type { CommandOptions, Control, VersionedCommandOptions } from './control.ts';

/** Labels to replace all labels with. */
export interface LabelsUpdate {
  readonly labels: Readonly<Record<string, string>>;
}

/** The networks of a cluster: stored and versioned here, put to work by the mesh. */
export class Networks {
  readonly #control: Control;

  constructor(control: Control) {
    this.#control = control;
  }

  /** Creates a network. @throws InvalidSpecError, NameConflictError */
  async create(input: NetworkSpecInput, options: CommandOptions = {}): Promise<NetworkId> {
    const spec = parseSpec(networkSpecSchema, input);
    return this.#control.command(
      `create network ${spec.name}`,
      options,
      (head, context) => createNetwork(head, spec, context),
      (head) => findNetwork(head, spec.name).id,
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
      (head) => again(findNetwork(head, spec.name)),
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
      (head) => findNetwork(head, ref).id,
    );
  }

  /** Removes a network that no service refers to. @throws NotFoundError, InUseError, VersionConflictError */
  remove(ref: string, options: VersionedCommandOptions = {}): Promise<NetworkId> {
    return this.#control.command(
      `remove network ${ref}`,
      options,
      (head) => removeNetwork(head, findNetwork(head, ref), options.version),
      () => ref as NetworkId,
    );
  }

  /** The network with this id or name. @throws NotFoundError */
  inspect(ref: string): Network {
    return findNetwork(this.#control.state, ref);
  }

  /** All networks, in the order in which they were created. */
  list(): readonly Network[] {
    return [...this.#control.state.networks()];
  }
}

/** The secrets of a cluster. Their values go in and never come out: what is read holds a keyed digest. */
export class Secrets {
  readonly #control: Control;

  constructor(control: Control) {
    this.#control = control;
  }

  /** Creates a secret. @param data - 1 to 511,999 bytes. @throws InvalidSpecError, NameConflictError */
  async create(input: SecretSpecInput, data: Uint8Array, options: CommandOptions = {}): Promise<SecretId> {
    const request = this.#sealed(input, data);
    return this.#control.command(
      `create secret ${request.spec.name}`,
      options,
      (head, context) => createSecret(head, request, context),
      (head) => findSecret(head, request.spec.name).id,
    );
  }

  /**
   * Makes the secret of that name be there with these labels. One of another value is refused: values never change.
   *
   * @throws InvalidSpecError, PreconditionError
   */
  async apply(
    input: SecretSpecInput,
    data: Uint8Array,
    options: CommandOptions = {},
  ): Promise<Applied<SecretId>> {
    const request = this.#sealed(input, data);
    return this.#control.command(
      `apply secret ${request.spec.name}`,
      options,
      (head, context) => applySecret(head, request, context),
      (head) => again(findSecret(head, request.spec.name)),
    );
  }

  /** Replaces a secret's labels; its value never changes. @throws NotFoundError, VersionConflictError */
  update(ref: string, update: LabelsUpdate, options: VersionedCommandOptions = {}): Promise<SecretId> {
    return this.#control.command(
      `update secret ${ref}`,
      options,
      (head) => {
        const secret = findSecret(head, ref);
        return updateSecret(
          secret,
          parseSpec(secretSpecSchema, { ...secret.spec, ...update }),
          options.version,
        );
      },
      (head) => findSecret(head, ref).id,
    );
  }

  /**
   * Removes a secret that no service refers to. Resolves once its value is gone from what is kept on disk, too.
   *
   * @throws NotFoundError, InUseError, VersionConflictError
   */
  async remove(ref: string, options: VersionedCommandOptions = {}): Promise<SecretId> {
    const id = await this.#control.command(
      `remove secret ${ref}`,
      options,
      (head) => removeSecret(head, findSecret(head, ref), options.version),
      () => ref as SecretId,
    );
    await this.#control.forget();
    return id;
  }

  /** The secret with this id or name, without its value. @throws NotFoundError */
  inspect(ref: string): Secret {
    return findSecret(this.#control.state, ref);
  }

  /** All secrets, without their values. */
  list(): readonly Secret[] {
    return [...this.#control.state.secrets()];
  }

  /** The value with its digest, which is what anyone will ever see of it. */
  #sealed(input: SecretSpecInput, data: Uint8Array) {
    const spec = parseSpec(secretSpecSchema, input);
    const value = new Uint8Array(data);
    return { spec, data: value, digest: this.#control.digest(value) };
  }
}

/** The configs of a cluster. */
export class Configs {
  readonly #control: Control;

  constructor(control: Control) {
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
      (head) => findConfig(head, spec.name).id,
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
      (head) => again(findConfig(head, spec.name)),
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
      (head) => findConfig(head, ref).id,
    );
  }

  /** Removes a config that no service refers to. @throws NotFoundError, InUseError, VersionConflictError */
  remove(ref: string, options: VersionedCommandOptions = {}): Promise<ConfigId> {
    return this.#control.command(
      `remove config ${ref}`,
      options,
      (head) => removeConfig(head, findConfig(head, ref), options.version),
      () => ref as ConfigId,
    );
  }

  /** The config with this id or name. @throws NotFoundError */
  inspect(ref: string): Config {
    return findConfig(this.#control.state, ref);
  }

  /** All configs. */
  list(): readonly Config[] {
    return [...this.#control.state.configs()];
  }
}

/** The answer to a command that was carried out before. */
function again<Id extends string>({ id }: { readonly id: Id }): Applied<Id> {
  return { id, action: 'unchanged', changes: [], warnings: [] };
}
