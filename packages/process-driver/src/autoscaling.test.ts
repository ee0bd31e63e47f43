/** A service that is scaled by what real processes use. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Cluster } from '@skep/core';
import { expect, it } from 'vitest';
import { ProcessDriver } from './index.ts';

it('given processes that use more than their target, when they are measured, then there are as many as may be', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'skep-autoscaling-'));
  // A little of a processor, and so more than the target wherever this runs.
  const args = ['-e', 'setInterval(() => { for (let i = 0; i < 2e6; i++); }, 20)'];
  const driver = new ProcessDriver({ programs: { burn: { command: process.execPath, args } } });
  const cluster = await Cluster.open({ dir, driver });
  try {
    await cluster.services.create({
      name: 'burn',
      task: { image: 'burn', stopGraceMs: 1_000 },
      autoscale: { min: 1, max: 3, metric: 'cpu', target: 0.0001, everyMs: 1_000, scaleUpCooldownMs: 0 },
    });
    await cluster.services.waitFor('burn', ({ desired, running }) => desired === 3 && running === 3);
    const { last } = cluster.services.inspect('burn').autoscaleStatus ?? {};
    expect(last).toMatchObject({
      to: 3,
      reason: expect.stringMatching(/^cpu is .* a task, above its target/),
    });
    expect(last?.value).toBeGreaterThan(0);
  } finally {
    await cluster.close();
    rmSync(dir, { recursive: true, force: true });
  }
});
