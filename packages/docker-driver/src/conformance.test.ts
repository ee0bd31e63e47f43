import { describeRuntimeDriver } from '@skep/core/driver/conformance';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DockerMachine } from './testing/docker-machine.ts';
import { engineMissing } from './testing/engine-requirements.ts';
import { type PrivateEngine, startPrivateEngine } from './testing/private-engine.ts';
import { TinyRegistry } from './testing/tiny-registry.ts';

const missing = engineMissing();

describe.skipIf(missing !== undefined)(missing ?? 'given a real engine', () => {
  let engine: PrivateEngine;
  const registry = new TinyRegistry();

  beforeAll(async () => {
    await registry.start();
    engine = await startPrivateEngine();
  });
  afterAll(async () => {
    await engine?.dispose();
    await registry.stop();
  });

  describeRuntimeDriver(
    'docker',
    {
      createMachine: async () => new DockerMachine(engine, `${registry.host}/unknown:latest`),
      timeoutMs: 120_000,
    },
    { describe, expect, it },
  );
});
