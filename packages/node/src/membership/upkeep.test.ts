import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NodeId } from '@skep/core';
import { silentLogger, systemClock, systemRandom } from '@skep/core/member';
import { expect, it } from 'vitest';
import {
  issueCertificate,
  NODE_VALIDITY_MS,
  readCertificateRequest,
} from '../security/certificate-authority.ts';
import { StateDirectory } from '../state-directory/state-directory.ts';
import { TestCluster } from '../test-support/test-cluster.ts';
import { Upkeep } from './upkeep.ts';

it('given news of a manager that lags, when the node has renewed for it, then it does not do so again and again', async () => {
  const path = await mkdtemp(join(tmpdir(), 'skep-upkeep-'));
  await using cluster = await TestCluster.create();
  const credentials = await cluster.credentialsOf({ nodeId: 'n', role: 'manager' });
  const directory = await StateDirectory.open(path);
  const waits: { readonly ms: number; readonly run: () => void }[] = [];
  const clock = {
    ...systemClock,
    setTimer: (ms: number, run: () => void) => {
      const wait = { ms, run };
      waits.push(wait);
      return () => void waits.splice(waits.indexOf(wait), waits.includes(wait) ? 1 : 0);
    },
  };
  const upkeep = new Upkeep({
    ...{ credentials, directory, clock, random: systemRandom, logger: silentLogger },
    unlockKey: () => undefined,
    requests: {
      renew: async (request) => {
        const identity = { nodeId: 'n' as NodeId, role: 'manager' as const, clusterId: cluster.clusterId };
        const key = await readCertificateRequest(request);
        const [now, validityMs] = [Date.now(), NODE_VALIDITY_MS];
        const chain = await issueCertificate(cluster.root, { key, identity, now, validityMs });
        return { ...identity, chain, roots: cluster.root.certificate, managers: [] };
      },
      report: async () => {},
    },
    onRole: () => expect.unreachable(),
    onManagers: () => {},
  });
  const { certificate: root } = cluster.root;
  const news = { roots: root, signer: root, renewBefore: 0, spreadMs: 0, isRotating: false, managers: [] };
  await upkeep.take({ ...news, role: 'worker' });
  // The news say that it is a worker, who issues certificates says that it is not.
  expect(waits.map(({ ms }) => ms)).toEqual([0]);
  await upkeep.renew();
  expect(waits.map(({ ms }) => ms)).toEqual([1_000]);
  await upkeep.take({ ...news, role: 'worker', spreadMs: 1 });
  expect(waits.map(({ ms }) => ms)).toEqual([0]);
  await upkeep.close();
  await directory.close();
  await rm(path, { recursive: true });
});
