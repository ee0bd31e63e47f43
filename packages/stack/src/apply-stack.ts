/**
 * Deploys a stack through whatever can apply specs. Sits between a parsed stack and a cluster, of which it knows
 * only the small port below. It never removes anything, and applying the same stack again changes nothing.
 */

import {
  AbortedError,
  type ConfigSpecInput,
  InvalidSpecError,
  type NetworkSpecInput,
  PreconditionError,
  type SecretSpecInput,
  type ServiceSpecInput,
  type SpecIssue,
} from '@skep/core';
import type { Stack } from './parse-stack.ts';
import type { StackObjectKind } from './plan-stack.ts';

/** What applying one spec came to. */
export interface Applied {
  readonly action: 'created' | 'updated' | 'unchanged';
  readonly id: string;
  /** What changed, in words or paths. */
  readonly changes: readonly string[];
  /** What has no effect, or not the whole of it. */
  readonly warnings: readonly (string | SpecIssue)[];
}

/** How to apply. */
export interface ApplyOptions {
  /** Ends the wait. What was applied before stays. */
  readonly signal?: AbortSignal;
}

/** What a cluster must offer so that stacks can be deployed to it. Each `apply` is idempotent, by name. */
export interface StackPort {
  readonly services: { apply(spec: ServiceSpecInput, options?: ApplyOptions): Promise<Applied> };
  readonly networks?: { apply(spec: NetworkSpecInput, options?: ApplyOptions): Promise<Applied> };
  readonly secrets?: {
    apply(spec: SecretSpecInput, data: Uint8Array, options?: ApplyOptions): Promise<Applied>;
  };
  readonly configs?: {
    apply(spec: ConfigSpecInput, data: Uint8Array, options?: ApplyOptions): Promise<Applied>;
  };
}

/** One object of the stack, applied. */
export interface AppliedObject extends Omit<Applied, 'warnings'> {
  readonly kind: StackObjectKind;
  readonly name: string;
  /** In words, each with its field. */
  readonly warnings: readonly string[];
}

/** How to apply a stack. */
export interface ApplyStackOptions extends ApplyOptions {
  /** Called after each object, in order. */
  readonly onApplied?: (applied: AppliedObject) => void;
}

/**
 * Applies networks, then secrets and configs, then services, one after the other.
 *
 * @throws PreconditionError before anything is applied, when the stack has networks, secrets or configs and the port
 * has no place for them. Whatever the port throws comes through; what was applied before stays, and the same call
 * made again goes on from there.
 */
export async function applyStack(
  port: StackPort,
  stack: Stack,
  options: ApplyStackOptions = {},
): Promise<readonly AppliedObject[]> {
  const { signal, onApplied } = options;
  const passed: ApplyOptions = signal === undefined ? {} : { signal };
  const { services, networks, secrets, configs } = port;
  const jobs: { kind: StackObjectKind; name: string; run: () => Promise<Applied> }[] = [];
  for (const spec of stack.networks) {
    const target = has(networks, 'networks', stack);
    jobs.push({ kind: 'network', name: spec.name, run: () => target.apply(spec, passed) });
  }
  for (const { spec, data } of stack.secrets) {
    const target = has(secrets, 'secrets', stack);
    jobs.push({ kind: 'secret', name: spec.name, run: () => target.apply(spec, data(), passed) });
  }
  for (const { spec, data } of stack.configs) {
    const target = has(configs, 'configs', stack);
    jobs.push({ kind: 'config', name: spec.name, run: () => target.apply(spec, data(), passed) });
  }
  for (const spec of stack.services) {
    jobs.push({ kind: 'service', name: spec.name, run: () => services.apply(spec, passed) });
  }
  const applied: AppliedObject[] = [];
  for (const { kind, name, run } of jobs) {
    if (signal?.aborted === true) throw new AbortedError(signal.reason);
    const { warnings, ...result } = await run().catch((error: unknown) => {
      throw error instanceof InvalidSpecError ? ofObject(kind, name, error) : error;
    });
    const object = { kind, name, ...result, warnings: warnings.map(inWords) };
    applied.push(object);
    onApplied?.(object);
  }
  return applied;
}

/** A stack has many objects, so a refusal must say whose field it names. */
function ofObject(kind: StackObjectKind, name: string, { issues }: InvalidSpecError): InvalidSpecError {
  return new InvalidSpecError(
    issues.map(({ field, rule }) => ({ field: `${kind}s.${name}${field === '' ? '' : `.${field}`}`, rule })),
  );
}

function inWords(warning: string | SpecIssue): string {
  return typeof warning === 'string' ? warning : `${warning.field}: ${warning.rule}`;
}

function has<Target>(target: Target | undefined, what: string, stack: Stack): Target {
  if (target === undefined)
    throw new PreconditionError(`stack ${stack.name} has ${what}, which this cluster does not take`);
  return target;
}
