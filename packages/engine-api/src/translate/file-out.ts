/** Secrets and configs in the engine's shape. A secret's value is in no answer. */

import type { Config, Secret } from '@skep/core';
import { timestamp } from '../json/time.ts';

/** The engine's `Secret`. */
export function secretOut(secret: Secret) {
  return { ...headOf(secret), Spec: specOf(secret) };
}

/** The engine's `Config`. */
export function configOut(config: Config) {
  const data = Buffer.from(config.data).toString('base64');
  const { Templating, ...spec } = specOf(config);
  return { ...headOf(config), Spec: { ...spec, Data: data, Templating } };
}

function headOf({ id, version, createdAt, updatedAt }: Secret | Config) {
  return {
    ID: id as string,
    Version: { Index: version },
    CreatedAt: timestamp(createdAt),
    UpdatedAt: timestamp(updatedAt),
  };
}

function specOf({ spec }: Secret | Config) {
  const { name, labels, template } = spec;
  return { Name: name, Labels: labels, Templating: template ? { Name: 'golang' } : undefined };
}
