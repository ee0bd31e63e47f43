/** The swarm as the engine's `ClusterInfo`. */

import { nanos, timestamp } from '../json/time.ts';
import type { Manager } from '../membership/membership.ts';
import { trustOut } from './trust-out.ts';

/** Raft's numbers as the engine tells them: its timing in ticks of a second, of which Skep's Raft has its own. */
const RAFT = {
  SnapshotInterval: 10_000,
  KeepOldSnapshots: 0,
  LogEntriesForSlowFollowers: 500,
  ElectionTick: 10,
  HeartbeatTick: 1,
} as const;

/** Where overlay networks exchange packets unless told otherwise. */
const DATA_PATH_PORT = 4_789;
/** Length of the prefix of subnets that networks are given unless told otherwise. */
export const SUBNET_SIZE = 24;

/** The engine's `ClusterInfo`. */
export function clusterInfoOut(manager: Manager) {
  const { id, version, createdAt, updatedAt, spec } = manager.cluster.info;
  return {
    ID: id,
    Version: { Index: version },
    CreatedAt: timestamp(createdAt),
    UpdatedAt: timestamp(updatedAt),
    Spec: {
      Name: 'default',
      Labels: spec.labels,
      Orchestration: { TaskHistoryRetentionLimit: spec.taskHistoryLimit },
      Raft: RAFT,
      Dispatcher: { HeartbeatPeriod: nanos(spec.dispatcher.heartbeatMs) },
      CAConfig: { NodeCertExpiry: nanos(manager.certificateValidityMs) },
      TaskDefaults: {},
      EncryptionConfig: { AutoLockManagers: manager.unlockKey !== undefined },
    },
    TLSInfo: trustOut(manager.trustRoot),
    RootRotationInProgress: manager.isRotatingRoot,
    DefaultAddrPool: null,
    SubnetSize: SUBNET_SIZE,
    DataPathPort: DATA_PATH_PORT,
  };
}

/** The engine's `Swarm`: with the tokens that admit nodes. */
export function swarmOut(manager: Manager) {
  const { worker, manager: token } = manager.joinTokens();
  return { ...clusterInfoOut(manager), JoinTokens: { Worker: worker, Manager: token } };
}
