/** The three probes: a command beside the task, an HTTP request, a TCP connection. */

import type { TaskRuntime } from '../../driver/runtime-driver.ts';
import type { RuntimeStatus, Task } from '../../model/objects.ts';
import type { HealthSpec } from '../../model/task-spec.ts';
import { checkExec } from '../driver-answers.ts';
import { fetchStatus } from './fetch-status.ts';
import type { Probe, ProbeFetch, ProbeNetwork } from './probe.ts';

/** What probes reach the world through. */
export interface ProbeTools {
  /** Absent: TCP probes can't be made here, and HTTP probes go by `fetch`. */
  readonly network?: ProbeNetwork;
  readonly fetch: ProbeFetch;
  /** Where the node's ports are reached from the agent itself. */
  readonly address: string;
}

/** Why a task's probe can't be made here, before anything was started; undefined when it can or there is none. */
export function probeIssue(
  task: Pick<Task, 'spec' | 'ports'>,
  tools: ProbeTools,
  runtime: Pick<TaskRuntime, 'exec'>,
): string | undefined {
  const test = task.spec.health?.test;
  if (!test || test.kind === 'none') return undefined;
  if (test.kind === 'exec') {
    return runtime.exec ? undefined : "health.test: the driver can't run commands beside a task";
  }
  if (!task.ports.some(({ target, protocol }) => target === test.port && protocol === 'tcp')) {
    return `health.test.port: ${test.port}/tcp is no port of the service, so nobody opens it`;
  }
  if (test.kind === 'tcp' && !tools.network) return 'health.test: this node has no network for TCP probes';
  return undefined;
}

/** The probe that a health spec asks for. */
export function makeProbe(
  test: Exclude<HealthSpec['test'], { readonly kind: 'none' }>,
  tools: ProbeTools,
  runtime: TaskRuntime,
  started: RuntimeStatus,
): Probe {
  switch (test.kind) {
    case 'exec':
      return execProbe(test.command, runtime);
    case 'http':
      return httpProbe(tools, openedPort(started, test.port), test.path);
    case 'tcp':
      return tcpProbe(tools.address, openedPort(started, test.port), tools.network);
  }
}

function execProbe(command: readonly string[], runtime: TaskRuntime): Probe {
  return async (signal) => {
    if (!runtime.exec) return { healthy: false, message: "the driver can't run commands beside a task" };
    const { exitCode, output } = checkExec(await runtime.exec(command, { signal }));
    const said = output.trim();
    return {
      healthy: exitCode === 0,
      message: `exit code ${exitCode}${said === '' ? '' : `: ${said}`}`,
    };
  };
}

function httpProbe(tools: ProbeTools, port: number | string, path: string): Probe {
  const { address, network, fetch } = tools;
  return async (signal) => {
    if (typeof port === 'string') return { healthy: false, message: port };
    const { status } = network?.request
      ? await network.request(address, port, path, signal)
      : await fetchStatus(fetch, address, port, path, signal);
    return { healthy: status >= 200 && status < 400, message: `HTTP status ${status}` };
  };
}

function tcpProbe(address: string, port: number | string, network: ProbeNetwork | undefined): Probe {
  return async (signal) => {
    if (typeof port === 'string') return { healthy: false, message: port };
    if (!network) return { healthy: false, message: 'this node has no network for TCP probes' };
    await network.connect(address, port, signal);
    return { healthy: true, message: `port ${port} accepts connections` };
  };
}

/** The port on the node, or why there is none. A probe of a port that the service does not open can never succeed. */
function openedPort(started: RuntimeStatus, target: number): number | string {
  const opened = started.ports.find((port) => port.target === target && port.protocol === 'tcp');
  return opened?.port ?? `the task opened no port for ${target}/tcp`;
}
