/** `cluster.secrets`: values go in and never come out. */

import type { Applied } from '../manager/api/applied.ts';
import {
  applySecret,
  createSecret,
  findSecret,
  removeSecret,
  updateSecret,
} from '../manager/api/file-commands.ts';
import type { SecretId } from '../model/ids.ts';
import type { Secret } from '../model/objects.ts';
import { type SecretSpecInput, secretSpecSchema } from '../model/other-specs.ts';
import { parseSpec } from '../model/parse-spec.ts';
import { again, type LabelsUpdate } from './applied-again.ts';
import { type CommandOptions, type Control, commandsOn, type VersionedCommandOptions } from './control.ts';

const SECRET = commandsOn('secret');

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
      SECRET.create,
      (head, answer) => (answer?.id as SecretId | undefined) ?? findSecret(head, request.spec.name).id,
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
      SECRET.apply,
      (head, answer) => again(answer, () => findSecret(head, request.spec.name)),
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
      SECRET.update,
      (head, answer) => (answer?.id as SecretId | undefined) ?? findSecret(head, ref).id,
    );
  }

  /**
   * Removes a secret that no service refers to. Resolves once its value is gone from what is kept on disk, too.
   *
   * @throws NotFoundError, InUseError, VersionConflictError; UnavailableError `not-compacted` when it is removed but
   *   its value could not be taken off the disk yet.
   */
  async remove(ref: string, options: VersionedCommandOptions = {}): Promise<SecretId> {
    const id = await this.#control.command(
      `remove secret ${ref}`,
      options,
      (head) => removeSecret(head, findSecret(head, ref), options.version),
      SECRET.remove,
      (_, answer) => (answer?.id ?? ref) as SecretId,
    );
    await this.#control.forget(`removal of secret ${ref}`, options);
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
