/** `x-skep-balancing` of a service: which task the next connection goes to. */

import type { ServiceSpecInput } from '@skep/core';
import { compact, readField, readFields } from './read-fields.ts';
import { readOneOf } from './read-values.ts';
import type { Read } from './reading.ts';

type Balancing = NonNullable<ServiceSpecInput['balancing']>;

export const readBalancing: Read<Balancing> = (reading, place) => {
  const fields = readFields(reading, place, { read: ['algorithm', 'stickiness'] });
  if (fields === undefined) return undefined;
  return compact({
    algorithm: readField(reading, fields.algorithm, readOneOf(['least-connections', 'round-robin'])),
    stickiness: readField(reading, fields.stickiness, readOneOf(['client-address', 'cookie'])),
  });
};
