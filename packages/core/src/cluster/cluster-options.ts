/** What a cluster is opened and closed with. */

import type { RuntimeDriver } from '../driver/runtime-driver.ts';
import type { HistoryOptions } from '../history/options.ts';
import type { EventLog } from '../log/event-log.ts';
import type { MetricSources } from '../manager/metric-watch/metric-source.ts';
import type { ClusterId } from '../model/ids.ts';
import type { ClusterSpecInput } from '../model/other-specs.ts';
import type { WaitOptions } from '../runtime/abort.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Random } from '../runtime/random.ts';
import type { ProbeNetwork } from '../worker/health/probe.ts';
import type { AgentForwarder } from './agent-route.ts';
import type { CommandForwarder } from './command-forwarder.ts';
import type { LocalNodeOptions } from './local-node.ts';

/** Options of `Cluster.open`. */
export interface ClusterOptions extends WaitOptions {
  /** What runs the tasks of this process's own node. Without one, nodes come by `Cluster.addNode`. */
  readonly driver?: RuntimeDriver;
  /** Hostname, labels and address of that node. */
  readonly node?: Omit<LocalNodeOptions, 'driver'>;
  /** Directory to keep the cluster in: events, snapshots and what drivers must remember. Default: memory only. */
  readonly dir?: string;
  /** The event log, in place of the one that `dir` gives. It is closed with the cluster. */
  readonly log?: EventLog;
  /** How much of the past is kept, and where; `false` for none. Default: 7 days or 1 GiB, in `dir` or in memory. */
  readonly history?: HistoryOptions | false;
  /** Settings that a new cluster begins with. */
  readonly spec?: ClusterSpecInput;
  /** The id of a new cluster. Default: a random one. */
  readonly id?: ClusterId;
  /** The way of commands to the member that leads, where another one does. Without it they are refused here. */
  readonly forwarder?: CommandForwarder;
  /** The way to the agents of nodes, where another member leads. Without it they can only be asked at the leader. */
  readonly agents?: AgentForwarder;
  /**
   * Metrics of the user's own, by name, which services can be scaled by (`autoscale.metric`). Each member should be given
   * the same: the one that leads reads them.
   */
  readonly metricSources?: MetricSources;
  readonly logger?: Logger;
  readonly clock?: Clock;
  readonly random?: Random;
  /** How TCP health probes connect. Default: the host's sockets, where there are any. */
  readonly probes?: ProbeNetwork;
}

/** Options of `Cluster.close`. */
export interface CloseOptions extends WaitOptions {
  /**
   * `stop` (default): stop the tasks of this process's nodes first. `leave`: let them run; the next cluster that
   * opens the same directory takes them up again.
   */
  readonly tasks?: 'stop' | 'leave';
}
