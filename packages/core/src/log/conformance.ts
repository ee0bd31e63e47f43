/**
 * The promises of the {@link EventLog} port as tests, for whoever writes an engine. They need a test library's
 * `describe`, `it` and `expect` (vitest, jest, bun and deno fit) and a harness that makes logs; they import neither.
 *
 * @example
 * ```ts
 * import { describe, expect, it } from 'vitest';
 * import { describeEventLog } from '@skep/core/log/conformance';
 *
 * describeEventLog('my engine', { create: async () => myFixture() }, { describe, it, expect });
 * ```
 *
 * @packageDocumentation
 */

import { describeAppends } from './conformance/appends.ts';
import type { ConformanceTestApi, EventLogHarness } from './conformance/harness.ts';
import { describeLeadership } from './conformance/leadership.ts';
import { describeReads } from './conformance/reads.ts';
import { describeStorage } from './conformance/storage.ts';

export type { ConformanceTestApi, EventLogFixture, EventLogHarness } from './conformance/harness.ts';
export { RecordingMachine } from './conformance/recording-machine.ts';

/**
 * Declares all tests for one engine. Parts that a harness can't bring about (a crash, a full disk, an epoch's end) are
 * left out.
 */
export function describeEventLog(name: string, harness: EventLogHarness, testApi: ConformanceTestApi): void {
  testApi.describe(`${name} keeps the promises of the event log`, () => {
    describeAppends(harness, testApi);
    describeReads(harness, testApi);
    describeLeadership(harness, testApi);
    describeStorage(harness, testApi);
  });
}
