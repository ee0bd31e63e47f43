/** `/swarm`: how a node comes to be in a swarm, and how the swarm is run. */

import { VersionConflictError } from '@skep/core';
import type { Fields } from '../json/fields.ts';
import { millisOf } from '../json/time.ts';
import type { InitRequest, JoinRequest, Manager, Membership } from '../membership/membership.ts';
import { alreadyInSwarm, managerOf } from '../membership/swarm-refusals.ts';
import type { Route } from '../server/engine-server.ts';
import { type Exchange, ok } from '../server/exchange.ts';
import { clusterRefusal, Refusal } from '../server/refusal.ts';
import { SUBNET_SIZE, swarmOut } from '../translate/swarm-out.ts';
import type { ApiContext } from './context.ts';

const HOUR_MS = 3_600_000;

/** The routes of the swarm. */
export function swarmRoutes({ membership }: ApiContext): readonly Route[] {
  const manager = () => managerOf(membership);
  return [
    ['GET', '/swarm', () => ok(swarmOut(manager()))],
    ['GET', '/swarm/unlockkey', () => ok({ UnlockKey: manager().unlockKey ?? '' })],
    [
      'POST',
      '/swarm/init',
      async (exchange) => {
        const request = initRequestFrom(await exchange.fields());
        if (membership.standing.kind !== 'inactive' && !request.forceNewCluster) throw alreadyInSwarm();
        return ok(await membership.init(request));
      },
    ],
    [
      'POST',
      '/swarm/join',
      async (exchange) => {
        const body = await exchange.fields();
        if (membership.standing.kind !== 'inactive') throw alreadyInSwarm();
        await membership.join(joinRequestFrom(body));
        return { status: 200 };
      },
    ],
    [
      'POST',
      '/swarm/leave',
      async (exchange) => {
        await leave(membership, exchange.flag('force'));
        return { status: 200 };
      },
    ],
    [
      'POST',
      '/swarm/unlock',
      async (exchange) => {
        const key = (await exchange.fields()).text('UnlockKey') ?? '';
        if (membership.standing.kind === 'inactive')
          throw new Refusal(503, 'This node is not part of a swarm');
        if (membership.standing.kind !== 'locked') throw new Refusal(409, 'swarm is not locked');
        await membership.unlock(key);
        return { status: 200 };
      },
    ],
    [
      'POST',
      '/swarm/update',
      async (exchange) => {
        await updateSwarm(manager(), exchange);
        return { status: 200 };
      },
    ],
  ];
}

function initRequestFrom(body: Fields): InitRequest {
  const spec = body.fields('Spec');
  const history = spec?.fields('Orchestration')?.integer('TaskHistoryRetentionLimit');
  const heartbeat = spec?.fields('Dispatcher')?.natural('HeartbeatPeriod') ?? 0;
  const validity = spec?.fields('CAConfig')?.natural('NodeCertExpiry') ?? 0;
  const isLocking = spec?.fields('EncryptionConfig')?.flag('AutoLockManagers') ?? false;
  checkValidity(validity);
  checkPools(body);
  return {
    ...addressesFrom(body),
    forceNewCluster: body.flag('ForceNewCluster') ?? false,
    autolock: isLocking || (body.flag('AutoLockManagers') ?? false),
    labels: spec?.textMap('Labels') ?? {},
    ...(history !== undefined && { taskHistoryLimit: history }),
    ...(heartbeat > 0 && { heartbeatMs: millisOf(heartbeat) }),
    ...(validity > 0 && { certificateValidityMs: millisOf(validity) }),
  };
}

/** Pools are a setting of the cluster that the engine's API does not reach yet. @throws Refusal */
function checkPools(body: Fields): void {
  if (body.texts('DefaultAddrPool').length > 0) throw new Refusal(501, 'DefaultAddrPool is not supported');
  const size = body.natural('SubnetSize') ?? 0;
  if (size !== 0 && size !== SUBNET_SIZE) throw new Refusal(501, 'SubnetSize is not supported');
}

function joinRequestFrom(body: Fields): JoinRequest {
  const remotes = body.texts('RemoteAddrs').filter((remote) => remote !== '');
  if (remotes.length === 0) throw new Refusal(400, 'at least 1 RemoteAddr is required to join');
  return { ...addressesFrom(body), remotes, token: body.text('JoinToken') ?? '' };
}

function addressesFrom(body: Fields): Pick<JoinRequest, 'listen' | 'advertise' | 'availability'> {
  const listen = body.text('ListenAddr') ?? '';
  const advertise = body.text('AdvertiseAddr') ?? '';
  const availability = body.word('Availability', ['active', 'pause', 'drain'] as const);
  return {
    ...(listen !== '' && { listen }),
    ...(advertise !== '' && { advertise }),
    ...(availability !== undefined && { availability }),
  };
}

async function leave(membership: Membership, force: boolean): Promise<void> {
  const { standing } = membership;
  if (standing.kind === 'inactive') throw new Refusal(503, 'This node is not part of a swarm');
  if (standing.kind === 'manager' && !force) throw new Refusal(503, managerLeaves(standing.manager));
  if (standing.kind === 'locked' && !force)
    throw new Refusal(
      503,
      'Swarm is encrypted and locked. Please unlock it first or use `--force` to ignore this message.',
    );
  await membership.leave({ force });
}

/** What would come of it. */
function managerLeaves({ cluster, managers }: Manager): string {
  const attempt = 'You are attempting to leave the swarm on a node that is participating as a manager. ';
  if (managers.length <= 1) {
    return `${attempt}Removing the last manager erases all current state of the swarm. Use \`--force\` to ignore this message. `;
  }
  const reached = cluster.nodes
    .list({ role: 'manager' })
    .filter(
      ({ id, status }) => status.state !== 'down' && managers.some(({ nodeId }) => nodeId === id),
    ).length;
  const isQuorumLost = reached - 1 <= (managers.length - 1) / 2;
  const told = isQuorumLost
    ? `Removing this node leaves ${reached - 1} managers out of ${managers.length}. Without a Raft quorum your swarm will be inaccessible. `
    : '';
  return `${attempt}${told}The only way to restore a swarm that has lost consensus is to reinitialize it with \`--force-new-cluster\`. Use \`--force\` to suppress this message.`;
}

/** Several changes of one request are made one after the other; the version guards the first. */
async function updateSwarm(manager: Manager, exchange: Exchange): Promise<void> {
  const version = exchange.objectVersion('swarm');
  const body = await exchange.fields();
  const name = body.text('Name') ?? 'default';
  if (name !== 'default') throw new Refusal(400, 'swarm spec must be named "default"');
  const ca = body.fields('CAConfig');
  const validity = ca?.natural('NodeCertExpiry') ?? 0;
  checkValidity(validity);
  const { info } = manager.cluster;
  if (version !== info.version) throw new VersionConflictError('swarm', info.id, version, info.version);
  const heartbeat = body.fields('Dispatcher')?.natural('HeartbeatPeriod') ?? 0;
  const history = body.fields('Orchestration')?.integer('TaskHistoryRetentionLimit');
  const change = {
    labels: { ...body.textMap('Labels') },
    ...(history !== undefined && { taskHistoryLimit: history }),
    ...(heartbeat > 0 && { dispatcher: dispatcherWith(info.spec.dispatcher, millisOf(heartbeat)) }),
  };
  await manager.cluster.update(change, { version });
  const validityMs = millisOf(validity);
  if (validityMs > 0 && validityMs !== manager.certificateValidityMs) {
    await manager.setCertificateValidity(validityMs);
  }
  await changeLock(manager, body.fields('EncryptionConfig')?.flag('AutoLockManagers'), exchange);
  if (exchange.flag('rotateWorkerToken')) await manager.rotateJoinToken('worker');
  if (exchange.flag('rotateManagerToken')) await manager.rotateJoinToken('manager');
  if (ca !== undefined) await rotateRoot(manager, ca);
}

type Dispatcher = Manager['cluster']['info']['spec']['dispatcher'];

/** How long a node may be silent follows the heartbeat, where it would be too short for it. */
function dispatcherWith(present: Dispatcher, heartbeatMs: number): Dispatcher {
  const { suspectMs: _, ...rest } = present;
  if (heartbeatMs === present.heartbeatMs) return present;
  return {
    ...rest,
    heartbeatMs: Math.max(10, heartbeatMs),
    silentDownMs: Math.max(present.silentDownMs, 3 * heartbeatMs),
  };
}

async function changeLock(manager: Manager, lock: boolean | undefined, exchange: Exchange): Promise<void> {
  const isLocking = manager.unlockKey !== undefined;
  const isRotated = exchange.flag('rotateManagerUnlockKey');
  if (lock === false && isLocking) await manager.unlock();
  else if ((lock === true && !isLocking) || (isLocking && isRotated)) await manager.lock();
}

/** `ForceRotate` counts rotations that were asked for; one more than is stored asks for another. */
async function rotateRoot(manager: Manager, ca: Fields): Promise<void> {
  const certificate = ca.text('SigningCACert') ?? '';
  const privateKey = ca.text('SigningCAKey') ?? '';
  if (certificate !== '' || privateKey !== '') {
    if (certificate === '' || privateKey === '') {
      throw clusterRefusal(
        'InvalidArgument',
        'if a signing CA is given, its certificate and key must both be',
      );
    }
    await manager.rotateRoot({ ca: { certificate, privateKey } });
  } else if ((ca.natural('ForceRotate') ?? 0) > 0) await manager.rotateRoot();
}

function checkValidity(validity: number): void {
  if (validity === 0 || validity >= HOUR_MS * 1_000_000) return;
  throw clusterRefusal('InvalidArgument', 'minimum certificate expiry time is: 1h0m0s');
}
