import { describeRuntimeDriver } from '@skep/core/driver/conformance';
import { describe, expect, it } from 'vitest';
import { RealMachine } from './testing/real-machine.ts';

describeRuntimeDriver(
  'process, refusing limits',
  { createMachine: async () => new RealMachine({ unsupportedLimits: 'refuse', anyCommand: true }) },
  { describe, expect, it },
);
