/** What runs the tasks of a daemon's node. Only what is needed is loaded. */

import { readFile } from 'node:fs/promises';
import type { RuntimeDriver } from '@skep/core/driver';
import * as z from 'zod';
import { type DaemonOptions, UsageError } from './daemon-options.ts';

const programsSchema = z.record(
  z.string(),
  z.strictObject({
    command: z.string().min(1),
    args: z.array(z.string()).optional(),
    env: z.record(z.string(), z.string()).optional(),
    dir: z.string().optional(),
  }),
);

/** Makes the drivers of the node, one for each time that it is in a swarm. @throws UsageError */
export async function driversOf(options: DaemonOptions): Promise<() => Promise<RuntimeDriver>> {
  const { driver, engine, anyCommand } = options;
  if (driver === 'docker') {
    return async () => {
      const { DockerDriver } = await import('@skep/docker-driver');
      return new DockerDriver({ ...(engine !== undefined && { engine }), init: true });
    };
  }
  const programs = options.programs === undefined ? {} : await readPrograms(options.programs);
  return async () => {
    const { ProcessDriver } = await import('@skep/process-driver');
    return new ProcessDriver({ programs, anyCommand });
  };
}

async function readPrograms(file: string) {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    throw new UsageError(`--programs: ${(error as Error).message}`);
  }
  const parsed = programsSchema.safeParse(value);
  if (parsed.success) return definedOnly(parsed.data);
  const [issue] = parsed.error.issues;
  throw new UsageError(`--programs: ${issue?.path.join('.')}: ${issue?.message}`);
}

type Programs = NonNullable<
  NonNullable<ConstructorParameters<typeof import('@skep/process-driver').ProcessDriver>[0]>['programs']
>;

/** Without the fields that are undefined. */
function definedOnly(programs: z.output<typeof programsSchema>): Programs {
  return JSON.parse(JSON.stringify(programs)) as Programs;
}
