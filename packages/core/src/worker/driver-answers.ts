/**
 * What a driver answers, checked before anyone builds on it: drivers are other people's code, and a wrong answer must
 * fail one task, not a worker.
 */

import * as z from 'zod';
import type { TaskExit } from '../driver/runtime-driver.ts';
import type { NodeDescription, RuntimeStatus, Task, TaskPort } from '../model/objects.ts';

/** A driver's answer breaks the promises of its port. */
export class DriverAnswerError extends Error {
  override readonly name = 'DriverAnswerError';
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

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
 * @throws DriverAnswerError
 */
export function checkStarted(answer: unknown, task: Pick<Task, 'ports'>): RuntimeStatus {
  if (!isRecord(answer) || typeof answer['id'] !== 'string' || !Array.isArray(answer['ports'])) {
    throw new DriverAnswerError('the driver did not tell what it started: it must give an id and ports');
  }
  const { id, ports } = answer;
  if (!ports.every(isPort)) throw new DriverAnswerError('the driver told a port that is none');
  for (const { target, protocol } of task.ports) {
    if (!ports.some((port) => port.target === target && port.protocol === protocol)) {
      throw new DriverAnswerError(`the driver opened no port for ${target}/${protocol}`);
    }
  }
  return { id, ports: ports.map(({ target, protocol, port }) => ({ target, protocol, port })) };
}

/**
 * The answer to `wait`: an exit code from 0 to 255, and what goes with it.
 *
 * @throws DriverAnswerError
 */
export function checkExit(answer: unknown): TaskExit {
  if (!isRecord(answer)) throw new DriverAnswerError('the driver did not tell how the task ended');
  const { exitCode, signal, outOfMemory, message } = answer;
  if (!Number.isInteger(exitCode) || Number(exitCode) < 0 || Number(exitCode) > 255) {
    throw new DriverAnswerError(`the driver told an exit code out of range: ${String(exitCode)}`);
  }
  return {
    exitCode: Number(exitCode),
    ...(typeof signal === 'string' && { signal }),
    ...(outOfMemory === true && { outOfMemory }),
    ...(typeof message === 'string' && message !== '' && { message }),
  };
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
    stats: z.boolean(),
    limits: z.object({ cpus: z.boolean(), memory: z.boolean(), pids: z.boolean() }),
  }),
});

/**
 * The answer to `describe`: all that a description must hold, and nothing else.
 *
 * @throws DriverAnswerError that names the field
 */
export function checkDescription(answer: unknown): NodeDescription {
  const { data, error } = described.safeParse(answer);
  if (!data) {
    const told = error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
    throw new DriverAnswerError(`the driver described the node wrongly: ${told}`);
  }
  const { plugins, ...engine } = data.engine;
  return { ...data, engine: plugins === undefined ? engine : { ...engine, plugins } };
}
