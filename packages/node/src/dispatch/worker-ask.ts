/** What managers may ask of an agent, as a message. */

import type { TaskId } from '@skep/core';
import type { ExecInput, ExecOutput } from '@skep/core/driver';
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
const command = z.array(z.string()).min(1).max(10_000);
const execInteractive = z.object({ kind: z.literal('execInteractive'), task, command, tty: z.boolean() });
const stats = z.object({ kind: z.literal('stats'), task });

/** Decodes an ask. */
export const workerAsk = z.discriminatedUnion('kind', [logs, exec, execInteractive, stats]);
/** One ask. */
export type WorkerAsk = z.output<typeof workerAsk>;

const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array, 'must be bytes');
const extent = z.number().int().min(1).max(65_535);

/** Decodes what goes into a command. `end`: its end of file. */
export const execInput = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('data'), data: bytes }),
  z.object({ kind: z.literal('resize'), columns: extent, rows: extent }),
  z.object({ kind: z.literal('end') }),
]);
/** What goes into a command. */
export type WireInput = ExecInput | { readonly kind: 'end' };

/** Decodes what comes out of a command. */
export const execOutput = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('output'), stream: z.enum(['stdout', 'stderr']), data: bytes }),
  z.object({ kind: z.literal('exit'), exitCode: z.number().int().min(0).max(255) }),
]);
/** The same as the agent says it. `taken`: there is room for the next input. */
export const agentOutput = z.union([execOutput, z.object({ kind: z.literal('taken') })]);
/** What comes out of a command. */
export type WireOutput = ExecOutput | { readonly kind: 'taken' };

/** Decodes a piece of a task's output. */
export const logChunk = z.object({ stream: z.enum(['stdout', 'stderr']), at: z.number(), data: bytes });
