/** `cluster.secrets`: values go in and never come out. */

import type { Applied } from '../manager/api/applied.ts';
import {
  applySecret,
  createSecret,
  findSecret,
  removeSecret,
  updateSecret,
} from '../manager/api/file-commands.ts';
import { pruneSecret, type Rotated, rotateSecret } from '../manager/api/rotation.ts';
import type { SecretId } from '../model/ids.ts';
import { type SecretSpecInput, secretSpecSchema } from '../model/other-specs.ts';
import { parseSpec } from '../model/parse-spec.ts';
import { again, type LabelsUpdate, rotatedBefore } from './applied-again.ts';
import { type CommandOptions, type Control, commandsOn, type VersionedCommandOptions } from './control.ts';
import { SecretReader } from './readers.ts';

const SECRET = commandsOn('secret');

/**
 * The secrets of a cluster. Their values go in and never come out: what is read holds a keyed digest. A value never
 * changes under a running task: {@link Secrets.rotate} makes a new revision, and rolls the services over to it.
 */
export class Secrets extends SecretReader {
  readonly #control: Control;

  constructor(control: Control) {
    super(() => control.state);
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
   * Gives a secret a newer value. Every service that uses it is updated to the new revision, by its own update
   * settings; its tasks are replaced as the update goes, and until then keep the value that they began with. A rollback
   * goes back to the older revision, which is kept for that: see {@link prune}.
   *
   * @returns the newest revision and the services that are updated; the same value again changes nothing.
   * @throws NotFoundError, InvalidSpecError, VersionConflictError
   */
  async rotate(
    ref: string,
    data: Uint8Array,
    options: VersionedCommandOptions = {},
  ): Promise<Rotated<SecretId>> {
    const value = new Uint8Array(data);
    return this.#control.command(
      `rotate secret ${ref}`,
      options,
      (head) => {
        const request = { digest: this.#control.digest(value), data: value };
        return rotateSecret(head, findSecret(head, ref), request, options.version);
      },
      SECRET.update,
      (head, answer) => rotatedBefore(answer, findSecret(head, ref)),
    );
  }

  /**
   * Forgets the older values of a secret that nobody refers to any more: no service, no way back for one, no living
   * task. Resolves once they are gone from what is kept on disk, too.
   *
   * @returns the numbers of the revisions that were forgotten.
   * @throws NotFoundError; UnavailableError `not-compacted` as {@link remove}
   */
  async prune(ref: string, options: CommandOptions = {}): Promise<readonly number[]> {
    const pruned = await this.#control.command(
      `prune secret ${ref}`,
      options,
      (head) => pruneSecret(head, findSecret(head, ref)),
      SECRET.update,
      () => [],
    );
    if (pruned.length > 0) await this.#control.forget(`pruning of secret ${ref}`, options);
    return pruned;
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

  /** Whether this is the newest value of the secret. @throws NotFoundError */
  holds(ref: string, data: Uint8Array): boolean {
    return this.inspect(ref).digest === this.#control.digest(new Uint8Array(data));
  }

  /** The value with its digest, which is what anyone will ever see of it. */
  #sealed(input: SecretSpecInput, data: Uint8Array) {
    const spec = parseSpec(secretSpecSchema, input);
    const value = new Uint8Array(data);
    return { spec, data: value, digest: this.#control.digest(value) };
  }
}
