/** A spec on its way to the manager: what is secret in it is taken out and sealed. */

import type { ServiceRequest } from '../manager/api/service-commands.ts';
import type { ServiceSpec } from '../model/service-spec.ts';
import { DIGEST_PREFIX } from '../runtime/keyed-digest.ts';
import type { Control } from './control.ts';

/** Registry credentials are kept in the vault; the spec holds their digest. */
export function serviceRequest(control: Pick<Control, 'digest'>, spec: ServiceSpec): ServiceRequest {
  const { registryAuth } = spec.task;
  if (registryAuth === undefined || registryAuth.startsWith(DIGEST_PREFIX)) return { spec };
  const data = new TextEncoder().encode(registryAuth);
  const digest = control.digest(data);
  return { spec: { ...spec, task: { ...spec.task, registryAuth: digest } }, credentials: { digest, data } };
}
