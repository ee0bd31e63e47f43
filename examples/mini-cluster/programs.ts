/** The programs that the mini-cluster's nodes can run: what the stack files call images. */

import { fileURLToPath } from 'node:url';
import type { ProcessDriverOptions } from '@skep/process-driver';

/** The process driver's table. Both need nothing but the Node that runs the cluster. */
export const programs: NonNullable<ProcessDriverOptions['programs']> = {
  'skep-hello-web': node('web.mjs'),
  'skep-hello-worker': node('worker.mjs'),
};

function node(file: string) {
  return { command: process.execPath, args: [fileURLToPath(new URL(`programs/${file}`, import.meta.url))] };
}
