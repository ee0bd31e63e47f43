/**
 * `@skep/stack`: compose stack files as Skep specs. Runs in a browser too; `@skep/stack/node` reads files from disk.
 *
 * @packageDocumentation
 */

export {
  type Applied,
  type AppliedObject,
  type ApplyOptions,
  type ApplyStackOptions,
  applyStack,
  type StackPort,
} from './apply-stack.ts';
export { type Interpolated, interpolate, type Variables } from './interpolation.ts';
export { type ParseStackOptions, parseStack, type Stack } from './parse-stack.ts';
export {
  type ExistingObjects,
  type PlanStackOptions,
  planStack,
  type StackObjectKind,
  type StackStep,
} from './plan-stack.ts';
export type { StackWarning, StackWarningReason } from './reading.ts';
export type { ReadFile } from './stack-files.ts';
export {
  type DataSource,
  STACK_IMAGE_LABEL,
  STACK_LABEL,
  type StackConfig,
  type StackSecret,
  type StackVolume,
} from './top-level.ts';
