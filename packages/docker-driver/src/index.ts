/**
 * The runtime driver that runs tasks as containers of a Docker Engine.
 *
 * @packageDocumentation
 */

export { CallLimit, CONCURRENT_CALLS } from './call-limit.ts';
export { DockerDriver } from './docker-driver.ts';
export type { EngineTls } from './engine-address.ts';
export type { DockerDriverOptions } from './options.ts';
export type { PullProgress, RegistryAuth, RegistryAuthProvider } from './pull-types.ts';
