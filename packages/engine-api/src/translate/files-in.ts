/** The secrets and configs that the engine's `ContainerSpec` refers to. */

import type { TaskSpec, TaskSpecInput } from '@skep/core';
import type { Fields } from '../json/fields.ts';
import { clusterRefusal, Refusal } from '../server/refusal.ts';
import type { Names } from './names.ts';

type References = NonNullable<TaskSpecInput['secrets']>;

/**
 * References in the engine's shape. One to a file that the service has already keeps its revision.
 *
 * @throws Refusal 400 `secret not found: NAME` where the id is that of another, or of none
 */
export function filesFrom(
  kind: 'secret' | 'config',
  references: readonly Fields[],
  { names, present }: { readonly names: Names; readonly present: TaskSpec['secrets'] },
): References {
  return references.flatMap((reference) => {
    // A config that stands for the task's own credentials is in no file.
    if (kind === 'config' && reference.has('Runtime')) return [];
    const noun = kind === 'secret' ? 'Secret' : 'Config';
    const name = reference.text(`${noun}Name`) ?? '';
    const id = reference.text(`${noun}ID`) ?? '';
    const known = kind === 'secret' ? names.secretId(name) : names.configId(name);
    if (known === undefined || (id !== '' && id !== known)) {
      throw clusterRefusal('InvalidArgument', `${kind} not found: ${name}`);
    }
    const file = reference.fields('File');
    const target = file?.text('Name') || name;
    checkOwner(file);
    const revision = present.find((each) => each.name === name)?.revision;
    return [
      {
        name,
        ...(target !== name && { target }),
        ...(revision !== undefined && { revision }),
        mode: (file?.natural('Mode') ?? 0o444) & 0o777,
      },
    ];
  });
}

function checkOwner(file: Fields | undefined): void {
  for (const field of ['UID', 'GID']) {
    const owner = file?.text(field) || '0';
    if (owner !== '0')
      throw new Refusal(501, `${file?.at(field)} ${owner} is not supported by Skep: files are root's`);
  }
}
