/**
 * What a driver answers, checked before anyone builds on it: drivers are other people's code, and a wrong answer must
 * fail one task, not a worker.
 */

import * as z from 'zod';
import type { ExecResult, RecoveredTask, TaskExit, TaskRuntime } from '../driver/runtime-driver.ts';
import { DriverError, type SpecIssue } from '../errors.ts';
import { asId, type TaskId } from '../model/ids.ts';
import type { NodeDescription, RuntimeStatus, Task, TaskPort } from '../model/objects.ts';

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

/**
 * The answer to `open`: what an earlier life left, each task once.
 *
 * @throws DriverError
 */
export function checkRecovered(answer: unknown): readonly RecoveredTask[] {
  if (!Array.isArray(answer)) {
    throw new DriverError('the driver did not tell what it found of an earlier life: it must give a list');
  }
  const found = new Map<TaskId, RecoveredTask>();
  for (const task of answer as readonly unknown[]) {
    if (!isRecord(task) || typeof task['id'] !== 'string' || typeof task['running'] !== 'boolean') {
      throw new DriverError('the driver found a task that is none: each needs an id and whether it runs');
    }
    const id = asId<TaskId>(task['id']);
    const { leaseMs } = task;
    found.set(id, {
      id,
      running: task['running'],
      ...(typeof leaseMs === 'number' ? { leaseMs } : {}),
    });
  }
  return [...found.values()];
}

/**
 * The answer to `check`: a list of issues, empty when there are none.
 *
 * @throws DriverError
 */
export function checkIssues(answer: unknown): readonly SpecIssue[] {
  if (!Array.isArray(answer)) {
    throw new DriverError("the driver did not tell what of the spec it can't do: it must give a list");
  }
  return (answer as readonly unknown[]).map((issue) => {
    if (!isRecord(issue) || typeof issue['field'] !== 'string' || typeof issue['rule'] !== 'string') {
      throw new DriverError('the driver told an issue that is none: each needs a field and a rule');
    }
    return { field: issue['field'], rule: issue['rule'] };
  });
}

const RUNTIME_STEPS = ['prepare', 'start', 'wait', 'stop', 'remove', 'logs'] as const;
const RUNTIME_EXTRAS = ['exec', 'execInteractive', 'stats'] as const;

/**
 * The answer to `runtime`: a handle with all steps. It is passed on as it is, since its steps may use `this`.
 *
 * @throws DriverError
 */
export function checkRuntime(answer: TaskRuntime): TaskRuntime {
  // A handle may be of a class, or null where a program without types made the driver.
  const handle: unknown = answer;
  if (!isRecord(handle)) throw new DriverError('the driver gave no handle of the task');
  const missing = [
    ...RUNTIME_STEPS.filter((step) => typeof handle[step] !== 'function'),
    ...RUNTIME_EXTRAS.filter((step) => handle[step] !== undefined && typeof handle[step] !== 'function'),
  ];
  if (missing.length > 0) {
    throw new DriverError(`the driver's handle of the task has no function ${missing.join(', ')}`);
  }
  return answer;
}

const isPort = (value: unknown): value is TaskPort =>
  isRecord(value) &&
  Number.isInteger(value['target']) &&
  typeof value['protocol'] === 'string' &&
  Number.isInteger(value['port']) &&
  Number(value['port']) >= 1 &&
  Number(value['port']) <= 65_535;

/**
 * The answer to `start`: a name, and an opened port for each that the task has.
 *
 * @throws DriverError
 */
export function checkStarted(answer: unknown, task: Pick<Task, 'ports'>): RuntimeStatus {
  if (!isRecord(answer) || typeof answer['id'] !== 'string' || !Array.isArray(answer['ports'])) {
    throw new DriverError('the driver did not tell what it started: it must give an id and ports');
  }
  const { id, ports } = answer;
  if (!ports.every(isPort)) throw new DriverError('the driver told a port that is none');
  for (const { target, protocol } of task.ports) {
    if (!ports.some((port) => port.target === target && port.protocol === protocol)) {
      throw new DriverError(`the driver opened no port for ${target}/${protocol}`);
    }
  }
  return { id, ports: ports.map(({ target, protocol, port }) => ({ target, protocol, port })) };
}

/**
 * The answer to `wait`: an exit code from 0 to 255, and what goes with it.
 *
 * @throws DriverError
 */
export function checkExit(answer: unknown): TaskExit {
  if (!isRecord(answer)) throw new DriverError('the driver did not tell how the task ended');
  const { exitCode, signal, outOfMemory, message } = answer;
  if (!Number.isInteger(exitCode) || Number(exitCode) < 0 || Number(exitCode) > 255) {
    throw new DriverError(`the driver told an exit code out of range: ${String(exitCode)}`);
  }
  return {
    exitCode: Number(exitCode),
    ...(typeof signal === 'string' && { signal }),
    ...(outOfMemory === true && { outOfMemory }),
    ...(typeof message === 'string' && message !== '' && { message }),
  };
}

/**
 * The answer to `exec`: an exit code, and what was printed.
 *
 * @throws DriverError
 */
export function checkExec(answer: unknown): ExecResult {
  if (!isRecord(answer) || !Number.isInteger(answer['exitCode']) || typeof answer['output'] !== 'string') {
    throw new DriverError(
      'the driver did not tell how the command ended: it must give an exit code and output',
    );
  }
  return { exitCode: Number(answer['exitCode']), output: answer['output'] };
}

/** Why an exit is a failure, in words; undefined when it is none. */
export function exitError(exit: TaskExit): string | undefined {
  const { exitCode, signal, outOfMemory, message } = exit;
  const more = message === undefined ? '' : `: ${message}`;
  if (outOfMemory) return `task: out of memory (${exitCode})${more}`;
  if (exitCode === 0 && signal === undefined) return undefined;
  return `task: non-zero exit (${exitCode}${signal === undefined ? '' : `, ${signal}`})${more}`;
}

const amount = z.number().min(0);
const described = z.object({
  hostname: z.string().min(1),
  platform: z.object({ os: z.string(), architecture: z.string() }),
  resources: z.object({
    cpus: amount,
    memoryBytes: amount,
    generic: z.record(z.string(), z.union([z.number().int().min(0), z.array(z.string())])),
  }),
  engine: z.object({
    driver: z.string(),
    version: z.string(),
    labels: z.record(z.string(), z.string()),
    plugins: z.array(z.string()).optional(),
  }),
  capabilities: z.object({
    exec: z.boolean(),
    interactive: z.enum(['pipes', 'terminal']).optional(),
    stats: z.boolean(),
    limits: z.object({ cpus: z.boolean(), memory: z.boolean(), pids: z.boolean() }),
  }),
  endpointFeed: z.literal(true).optional(),
  trafficKey: z.string().optional(),
});

/**
 * The answer to `describe`: all that a description must hold, and nothing else.
 *
 * @throws DriverError that names the field
 */
export function checkDescription(answer: unknown): NodeDescription {
  const { data, error } = described.safeParse(answer);
  if (!data) {
    const told = error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
    throw new DriverError(`the driver described the node wrongly: ${told}`);
  }
  const { endpointFeed, trafficKey, ...description } = data;
  const { plugins, ...engine } = description.engine;
  const { interactive, ...capabilities } = description.capabilities;
  return {
    ...description,
    engine: plugins === undefined ? engine : { ...engine, plugins },
    capabilities: interactive === undefined ? capabilities : { ...capabilities, interactive },
    ...(endpointFeed === undefined ? {} : { endpointFeed }),
    ...(trafficKey === undefined ? {} : { trafficKey }),
  };
}
