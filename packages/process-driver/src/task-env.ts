/** Pure: the environment that a task runs in. */

import { type DriverContext, environmentOf, type RuntimeTask } from '@skep/core/driver';
import type { TaskPort } from './core-types.ts';
import { INHERITED_ENV, type ProcessDriverOptions } from './options.ts';
import type { ResolvedProgram } from './program.ts';

/**
 * Builds it: what is inherited, the program's, the spec's, and what Skep tells a task. The ports are told as `PORT`
 * (the first) and `SKEP_PORT_<target>`; for another protocol than TCP also as `SKEP_PORT_<target>_<PROTOCOL>`.
 */
export function taskEnv(
  task: RuntimeTask,
  program: ResolvedProgram,
  given: {
    readonly ports: readonly TaskPort[];
    readonly node: Pick<DriverContext, 'nodeId' | 'hostname'>;
    readonly filesDir: string | undefined;
    readonly inheritEnv: ProcessDriverOptions['inheritEnv'];
    readonly host: Readonly<Record<string, string | undefined>>;
  },
): Record<string, string> {
  const env: Record<string, string> = {};
  const { inheritEnv = INHERITED_ENV, host } = given;
  const names = inheritEnv === true ? Object.keys(host) : inheritEnv === false ? [] : inheritEnv;
  for (const name of names) {
    const value = host[name];
    if (value !== undefined) env[name] = value;
  }
  const [first] = given.ports;
  if (first) env['PORT'] = String(first.port);
  Object.assign(env, program.env);
  for (const { target, protocol, port } of given.ports) {
    env[`SKEP_PORT_${target}`] ??= String(port);
    if (protocol !== 'tcp') env[`SKEP_PORT_${target}_${protocol.toUpperCase()}`] ??= String(port);
  }
  Object.assign(env, environmentOf(task, given.node));
  if (given.filesDir !== undefined) env['SKEP_FILES_DIR'] = given.filesDir;
  return env;
}
