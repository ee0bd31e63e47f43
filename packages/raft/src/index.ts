/**
 * Raft, as a library: a deterministic core, a node around it, and the ports to disk, network and time, with one of each
 * in memory. Nothing here needs Node.
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
export type { RaftNodeErrorCode } from './node/errors.ts';
export { RaftNodeError } from './node/errors.ts';
export type { ChangeOutcome, TransferOutcome } from './node/membership-changes.ts';
export type { NodeLeadership, NodeStatus } from './node/node-status.ts';
export type { RaftNodeOptions } from './node/options.ts';
export type {
  CancelTimer,
  RaftClock,
  RaftLogFields,
  RaftLogger,
  RaftMetricLabels,
  RaftMetrics,
} from './node/ports.ts';
export { noRaftMetrics, silentRaftLogger } from './node/ports.ts';
export type { ProposalId, ProposalOutcome } from './node/proposals.ts';
export type { ForcedCluster } from './node/quorum-loss.ts';
export { forceNewClusterOn } from './node/quorum-loss.ts';
export type { TermProposal } from './node/raft-node.ts';
export { RaftNode } from './node/raft-node.ts';
export type { NodeRecovery } from './node/recovery.ts';
export type { AppliedCommand, MachineCapture, RaftStateMachine } from './node/state-machine.ts';
export { systemRaftClock, systemRaftRandom } from './node/system-clock.ts';
export type { TermOutcome } from './node/term-waiters.ts';
export { MemoryDisk, MemoryDiskFullError, MemoryStorage } from './storage/memory-storage.ts';
export type {
  RaftStorage,
  RecoveredState,
  ResumableSnapshotWriter,
  SnapshotWriter,
} from './storage/storage.ts';
export type { TransportErrorCode } from './transport/errors.ts';
export { TransportError } from './transport/errors.ts';
export type { Frame, SnapshotFrame } from './transport/frame.ts';
export { decodeFrame, encodeFrame, FRAME_BYTES_MAX } from './transport/frame.ts';
export type { MemoryNetworkOptions } from './transport/memory-transport.ts';
export { MemoryNetwork, MemoryTransport } from './transport/memory-transport.ts';
export type { ForwardedProposal, PeerMessage, ProposalRefused } from './transport/peer-message.ts';
export type { ShippingLimits } from './transport/snapshot-sender.ts';
export type { RaftTransport, SnapshotArrival, TransportEvents } from './transport/transport.ts';
