/**
 * The runtime driver that runs tasks as child processes.
 *
 * @packageDocumentation
 */

export type { ProcessDriverOptions, Program } from './options.ts';
export { ProcessDriver } from './process-driver.ts';
