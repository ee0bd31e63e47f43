/**
 * The suite that every runtime driver passes, ours and anybody's. It checks each promise in the head of
 * `runtime-driver.ts` and in the docstrings of the port, with whatever test library it is given.
 *
 * @packageDocumentation
 */

import { type DriverHarness, type DriverTestApi, sceneTest } from './conformance/harness.ts';
import { describeInteraction } from './conformance/interaction.ts';
import { describeLifecycle } from './conformance/lifecycle.ts';
import { describeOutput } from './conformance/output.ts';
import { describeRecovery } from './conformance/recovery.ts';
import { describeRefusal } from './conformance/refusal.ts';
import { describeStopping } from './conformance/stopping.ts';

export type { DriverHarness, DriverMachine, DriverTestApi, TaskKind } from './conformance/harness.ts';

/**
 * Registers the whole suite under `name`.
 *
 * @example
 * import { describe, expect, it } from 'vitest';
 * describeRuntimeDriver('my driver', { createMachine }, { describe, it, expect });
 */
export function describeRuntimeDriver(name: string, harness: DriverHarness, testApi: DriverTestApi): void {
  const test = sceneTest(harness, testApi);
  testApi.describe(`the runtime driver: ${name}`, () => {
    describeLifecycle(testApi, test);
    describeStopping(testApi, test);
    describeOutput(testApi, test);
    describeInteraction(testApi, test);
    describeRecovery(testApi, test);
    describeRefusal(testApi, test, harness.unsupportedLimits ?? 'refuse');
  });
}
