/** What managers may ask of an agent, as a message. */

import type { TaskId } from '@skep/core';
import { asId } from '@skep/core/member';
import * as z from 'zod';

const task = z
  .string()
  .min(1)
  .max(256)
  .transform((text) => asId<TaskId>(text));

/** Which of a task's output is wanted. */
export const logRange = z.object({
  follow: z.boolean().optional(),
  tail: z.number().int().min(0).optional(),
  since: z.number().optional(),
});

const logs = z.object({ kind: z.literal('logs'), task, range: logRange });
const exec = z.object({ kind: z.literal('exec'), task, command: z.array(z.string()).min(1).max(10_000) });
const stats = z.object({ kind: z.literal('stats'), task });

/** Decodes an ask. */
export const workerAsk = z.discriminatedUnion('kind', [logs, exec, stats]);
/** One ask. */
export type WorkerAsk = z.output<typeof workerAsk>;
