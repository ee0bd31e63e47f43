/**
 * What writers of runtime drivers need: the port, and the errors that a driver throws.
 *
 * @packageDocumentation
 */

export { DriverError } from '../errors.ts';
export type * from './driver-networks.ts';
export { DriverOperations } from './operations.ts';
export * from './runtime-driver.ts';
export { environmentOf } from './task-environment.ts';
