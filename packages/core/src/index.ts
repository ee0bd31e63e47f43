/**
 * Skep: a container orchestrator as a library. Services, tasks and nodes live in an event log; control loops keep
 * what runs equal to what was asked for; a driver that you choose runs it.
 *
 * @packageDocumentation
 */

export type { LabelsUpdate } from './cluster/applied-again.ts';
export { Cluster } from './cluster/cluster.ts';
export type { ClusterHealth } from './cluster/cluster-health.ts';
export type { CloseOptions, ClusterOptions } from './cluster/cluster-options.ts';
export type { CommandForwarder, CommandRequest, CommandResponse } from './cluster/command-forwarder.ts';
export type { Configs } from './cluster/configs.ts';
export type { CommandOptions, VersionedCommandOptions } from './cluster/control.ts';
export type { DrainProgress, LeavingTask } from './cluster/drain-progress.ts';
export { EndpointFeed } from './cluster/endpoints.ts';
export type { ExecChunk, ExecSession } from './cluster/exec-session.ts';
export type { ExplainedDecision, TaskExplanation } from './cluster/explain.ts';
export type { JobProgress } from './cluster/job-progress.ts';
export { LiveStream } from './cluster/live-stream.ts';
export type { LocalNode, LocalNodeOptions } from './cluster/local-node.ts';
export type { Networks } from './cluster/networks.ts';
export type { DrainOptions, NodeJoin, Nodes, NodeUpdate, NodeWaitOptions } from './cluster/nodes.ts';
export { PastCluster } from './cluster/past-cluster.ts';
export type { PlanOptions } from './cluster/plan.ts';
export type { Progress, ProgressOptions } from './cluster/progress.ts';
export type {
  ConfigReader,
  NetworkReader,
  NodeFilter,
  NodeReader,
  SecretReader,
  ServiceFilter,
  ServiceReader,
  TaskFilter,
  TaskReader,
  VolumeReader,
} from './cluster/readers.ts';
export type {
  PlannedMove,
  RebalanceOptions,
  RebalancePlan,
  RebalancePlanOptions,
  RebalanceProgress,
  Rebalancing,
} from './cluster/rebalancing.ts';
export type { SealedRecords } from './cluster/sealed-records.ts';
export type { Secrets } from './cluster/secrets.ts';
export type { ServiceGoal, ServiceProgress } from './cluster/service-goals.ts';
export type { ServiceLogChunk } from './cluster/service-logs.ts';
export type { ServiceStatus } from './cluster/service-status.ts';
export type { Services, ServiceUpdate } from './cluster/services.ts';
export type { TaskExecOptions, Tasks } from './cluster/tasks.ts';
export type { Volumes } from './cluster/volumes.ts';
export { Watch, type WatchEvent, type WatchOptions } from './cluster/watch.ts';
export type { WatchFilter } from './cluster/watch-filter.ts';
export {
  AbortedError,
  AmbiguousError,
  ClosedError,
  DriverError,
  GoalFailedError,
  HistoryPrunedError,
  IndexConflictError,
  InUseError,
  InvalidSpecError,
  isSkepError,
  NameConflictError,
  NotFoundError,
  OutcomeUnknownError,
  PreconditionError,
  SkepError,
  type SkepErrorCode,
  type SpecIssue,
  TimeoutError,
  UnavailableError,
  VersionConflictError,
} from './errors.ts';
export type { Actor, EventType } from './events/event.ts';
export type { AtOptions, StoryOptions } from './history/history.ts';
export type { HistoryChange, HistoryEvent } from './history/history-event.ts';
export type {
  CheckpointContents,
  HistoryBlock,
  HistoryCheckpoint,
  HistoryRecord,
  HistorySegment,
  HistoryStore,
  Moment,
  Span,
  StoredBlock,
  StoredCheckpoint,
} from './history/history-store.ts';
export { MemoryHistoryStore } from './history/memory-history-store.ts';
export type { HistoryOptions } from './history/options.ts';
export type { HistorySubject } from './history/subject.ts';
export type { Applied } from './manager/api/applied.ts';
export type { Rotated } from './manager/api/rotation.ts';
export type { ServiceChange } from './manager/api/service-commands.ts';
export type { ServiceDiagnosis, TaskFinding } from './manager/diagnosis/diagnosis.ts';
export type { MetricSource, MetricSources } from './manager/metric-watch/metric-source.ts';
export type { StartWait } from './manager/orchestrator/start-order/conditions.ts';
export type { TaskWait } from './manager/orchestrator/task-wait.ts';
export type {
  Named,
  NodeLoad,
  Plan,
  PlannedChange,
  PlannedLoad,
  PlannedPlacement,
  PlannedStop,
  PlannedTask,
  PlannedWait,
} from './manager/planner/plan.ts';
export { drain, lose, type PlanAction, type Plannable, scale } from './manager/planner/plan-action.ts';
export type { NewNode, Remedy, RemedyChange } from './manager/scheduler/remedy.ts';
export type { Autoscale, Autoscaled, AutoscaleStatus } from './model/autoscale.ts';
export { type Constraint, checkConstraints, parseConstraint } from './model/constraint.ts';
export { findCycle } from './model/dependency-cycle.ts';
export type { Difference } from './model/differences.ts';
export type { Endpoint, Endpoints } from './model/endpoint.ts';
export { FINDING_CODES, type Finding, type FindingCode, needsSomebody } from './model/finding.ts';
export type {
  ClusterId,
  CommandId,
  ConfigId,
  NetworkId,
  NodeId,
  SecretId,
  ServiceId,
  TaskId,
} from './model/ids.ts';
export {
  isClusterWide,
  isEncrypted,
  mtuOf,
  type NetworkAllocation,
  type NetworkSpec,
  type NetworkSpecInput,
  type NetworkSubnet,
  networkSpecSchema,
} from './model/network.ts';
export type {
  AllocatedPort,
  ClusterObject,
  Config,
  EndedJobRun,
  JobRun,
  JobStatus,
  Meta,
  MissedRuns,
  Network,
  NetworkAttachment,
  Node,
  NodeDescription,
  NodeState,
  NodeStatus,
  Rebalance,
  RebalanceOutcome,
  RestartHistory,
  RuntimeStatus,
  Secret,
  Service,
  ServiceEndpoint,
  Task,
  TaskEviction,
  TaskLeaving,
  TaskPort,
  TaskStatus,
  UpdateState,
  UpdateStatus,
  VolumeHome,
} from './model/objects.ts';
export {
  type ClusterSpec,
  type ClusterSpecInput,
  type ConfigSpec,
  type ConfigSpecInput,
  clusterSpecSchema,
  configSpecSchema,
  type NodeSpec,
  type NodeSpecInput,
  nodeSpecSchema,
  type SecretSpec,
  type SecretSpecInput,
  secretSpecSchema,
} from './model/other-specs.ts';
export { parseServiceSpec } from './model/parse-spec.ts';
export type {
  PlacementCandidate,
  PlacementDecision,
  PlacementExplanation,
  Rejection,
  RejectionCause,
} from './model/placement.ts';
export type { AssignedGeneric, GenericResource, NodeResources } from './model/resources.ts';
export {
  type Dependency,
  type PortSpec,
  type Schedule,
  type ServiceSpec,
  type ServiceSpecInput,
  serviceSpecSchema,
} from './model/service-spec.ts';
export {
  type HealthSpec,
  type Placement,
  type RestartPolicy,
  type TaskSpec,
  type TaskSpecInput,
  taskSpecSchema,
} from './model/task-spec.ts';
export {
  DESIRED_STATES,
  type DesiredState,
  isAfter,
  isTerminal,
  TASK_STATES,
  type TaskState,
} from './model/task-state.ts';
export type { TrafficClient, TrafficNetwork, TrafficNode, TrafficService } from './model/traffic.ts';
export type { WaitOptions } from './runtime/abort.ts';
export type { CancelTimer, Clock } from './runtime/clock.ts';
export type { LogFields, Logger } from './runtime/logger.ts';
export { type Random, seededRandom } from './runtime/random.ts';
export type { Change, ChangeOf, ChangeSet, ObjectByKind, ObjectKind } from './state/change.ts';
