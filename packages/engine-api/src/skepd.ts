#!/usr/bin/env node
/** The program `skepd`. */

import { lineLogger } from '@skep/node';
import { Daemon } from './daemon/daemon.ts';
import { readOptions, USAGE, UsageError } from './daemon/daemon-options.ts';

/** Exit code for a command line that breaks a rule. */
const BAD_USAGE = 2;

try {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) process.stdout.write(USAGE);
  else await run(options);
} catch (error) {
  process.stderr.write(`skepd: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(error instanceof UsageError ? BAD_USAGE : 1);
}

async function run(options: NonNullable<ReturnType<typeof readOptions>>): Promise<void> {
  // Heard from the beginning: a signal that comes while it starts must not cut it off in the middle.
  const signalled = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => resolve());
  });
  const daemon = await Daemon.start(options, lineLogger(process.stderr));
  for (const host of options.hosts) {
    const address = host.kind === 'unix' ? `unix://${host.path}` : `tcp://${host.host}:${host.port}`;
    process.stdout.write(`serving the Docker Engine API: DOCKER_HOST=${address}\n`);
  }
  await signalled;
  await daemon.close();
  process.exit(0);
}
