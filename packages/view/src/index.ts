/**
 * The view of a cluster: its rows, the stream of their changes, the past and the what-ifs behind one port, and metrics
 * as data. Pure: it runs in a browser's tab as on a server. What serves it over HTTP is `@skep/view/node`.
 *
 * @packageDocumentation
 */

export { ClusterMetrics, type ClusterMetricsOptions, type RaftFigures } from './metrics/cluster-metrics.ts';
export type { MetricFamily, Sample } from './metrics/metric-family.ts';
export { PROMETHEUS_TYPE, prometheusText } from './metrics/prometheus-text.ts';
export { networkRow, nodeRow, type Readable, serviceRow, snapshotOf, taskRow } from './model/project.ts';
export type {
  ManagerRow,
  NetworkRow,
  NodeRow,
  PortRow,
  Rows,
  ServiceRow,
  TableDelta,
  TableName,
  TaskRow,
  ViewDelta,
  ViewMessage,
  ViewSnapshot,
  ViewStatus,
} from './model/rows.ts';
export { type RowChange, type RowOf, ViewTables } from './model/view-tables.ts';
export { type ClusterSourceOptions, clusterSource } from './source/cluster-source.ts';
export type {
  LifeStep,
  LogText,
  MomentRange,
  ServiceDetail,
  TaskDetail,
  ViewAction,
  ViewChange,
  ViewSource,
  ViewTransaction,
  ViewTransactionDetail,
} from './source/view-source.ts';
