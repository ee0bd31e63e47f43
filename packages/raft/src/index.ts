/**
 * Raft, as a library: a deterministic core, and the ports that a node around it needs.
 *
 * @packageDocumentation
 */

export type { RaftErrorCode } from './core/errors.ts';
export { RaftError } from './core/errors.ts';
export type { ProposalRefusal, ProposalResult } from './core/leader.ts';
export type { MemberChange, MembershipPlan, Transition } from './core/membership.ts';
export { configurationOf, isJoint, isVoter, membersOf, planChange, planLeave } from './core/membership.ts';
export type {
  AppendAccepted,
  AppendRejected,
  AppendRequest,
  Heartbeat,
  HeartbeatResponse,
  InstallSnapshot,
  Message,
  MessageType,
  PreVoteRequest,
  PreVoteResponse,
  ReadAttempt,
  ReadRefused,
  ReadRequest,
  ReadResponse,
  TimeoutNow,
  TransferRefused,
  VoteRequest,
  VoteResponse,
} from './core/message.ts';
export type { RaftOptions } from './core/options.ts';
export { DEFAULT_OPTIONS, resolveOptions } from './core/options.ts';
export type { ProgressState } from './core/progress.ts';
export type { VoteOutcome, VoterSets } from './core/quorum.ts';
export { majority, quorumOutcome, quorumValue } from './core/quorum.ts';
export type { RaftCoreParts } from './core/raft.ts';
export { RaftCore } from './core/raft.ts';
export type {
  PersistBatch,
  ReadRefusal,
  ReadResult,
  ReadToken,
  Ready,
  RoleChange,
  TransferFailure,
} from './core/ready.ts';
export type { ChangeRefusal, ChangeResult } from './core/reconfiguration.ts';
export { forceNewCluster } from './core/recovery.ts';
export type { ProgressStatus, RaftStatus } from './core/status.ts';
export type { TransferRefusal, TransferResult } from './core/transfer.ts';
export type {
  CommandEntry,
  Configuration,
  ConfigurationEntry,
  EmptyEntry,
  Entry,
  HardState,
  LogIndex,
  MemberId,
  Random,
  RoleName,
  SnapshotDescription,
  StoredState,
  Term,
} from './core/types.ts';
export { entryBytes } from './core/types.ts';
export type { RaftStorage, RecoveredState, SnapshotWriter } from './storage/storage.ts';
export type { RaftTransport, TransportEvents } from './transport/transport.ts';
