/** The programs that the mini-cluster's nodes can run: what the stack files call images. */

import { fileURLToPath } from 'node:url';
import type { ProcessDriverOptions } from '@skep/process-driver';

/** The process driver's table. */
export type Programs = NonNullable<ProcessDriverOptions['programs']>;

/** The programs of a node, which listen at its address. They need nothing but the Node that runs the cluster. */
export function programsAt(host: string): Programs {
  return {
    'skep-hello-web': node('web.mjs', host),
    'skep-hello-worker': node('worker.mjs', host),
    // As the image of that name does, it runs what it is told to: `alpine ping 8.8.8.8`.
    alpine: { command: 'env' },
  };
}

function node(file: string, host: string): Programs[string] {
  return {
    command: process.execPath,
    args: [fileURLToPath(new URL(`programs/${file}`, import.meta.url))],
    env: { HOST: host },
  };
}
