/**
 * Assignments in pieces of bearable size. A node may have thousands of tasks, and secrets of half a megabyte each: as
 * one message they would be held in memory several times over, and hold up what goes over the same connection.
 */

import type { AssignedFile, AssignedTask, AssignmentsMessage } from '@skep/core/member';
import type { AssignmentsPart } from './methods.ts';

/** Tasks, and bytes of files, in one piece. */
const TASKS_MAX = 64;
const FILE_BYTES_MAX = 1024 * 1024;

/** The pieces of a message, the last one marked. */
export function* partsOf(message: AssignmentsMessage): Generator<AssignmentsPart, void, undefined> {
  const tasks = message.kind === 'complete' ? message.tasks : message.update;
  const files = message.kind === 'complete' ? message.files : message.updateFiles;
  const pieces = [
    ...slices(tasks).map((some) => ({ tasks: some, files: [] })),
    ...bySize(files).map((some) => ({ tasks: [], files: some })),
  ];
  const last = pieces.pop() ?? { tasks: [], files: [] };
  for (const piece of pieces) yield { message: withContent(message, piece, false), last: false };
  yield { message: withContent(message, last, true), last: true };
}

/** The messages whose pieces come. */
export async function* whole(
  parts: AsyncIterable<AssignmentsPart>,
): AsyncGenerator<AssignmentsMessage, void, undefined> {
  let before: AssignmentsMessage | undefined;
  for await (const { message, last } of parts) {
    const joined = before === undefined ? message : joinOf(before, message);
    before = last ? undefined : joined;
    if (last) yield joined;
  }
}

interface Content {
  readonly tasks: readonly AssignedTask[];
  readonly files: readonly AssignedFile[];
}

function withContent(
  message: AssignmentsMessage,
  { tasks, files }: Content,
  isLast: boolean,
): AssignmentsMessage {
  if (message.kind === 'complete') return { kind: 'complete', tasks, files };
  return {
    kind: 'incremental',
    update: tasks,
    updateFiles: files,
    remove: isLast ? message.remove : [],
    removeFiles: isLast ? message.removeFiles : [],
  };
}

function joinOf(one: AssignmentsMessage, other: AssignmentsMessage): AssignmentsMessage {
  // Whoever mixes the two begins anew: what came before counts for nothing.
  if (one.kind === 'complete') {
    if (other.kind !== 'complete') return other;
    return { kind: 'complete', tasks: [...one.tasks, ...other.tasks], files: [...one.files, ...other.files] };
  }
  if (other.kind !== 'incremental') return other;
  return {
    kind: 'incremental',
    update: [...one.update, ...other.update],
    updateFiles: [...one.updateFiles, ...other.updateFiles],
    remove: [...one.remove, ...other.remove],
    removeFiles: [...one.removeFiles, ...other.removeFiles],
  };
}

function slices(tasks: readonly AssignedTask[]): AssignedTask[][] {
  const found: AssignedTask[][] = [];
  for (let from = 0; from < tasks.length; from += TASKS_MAX) found.push(tasks.slice(from, from + TASKS_MAX));
  return found;
}

function bySize(files: readonly AssignedFile[]): AssignedFile[][] {
  const found: AssignedFile[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const file of files) {
    bytes += file.file.data.length;
    const some = found.at(-1);
    if (some === undefined || bytes > FILE_BYTES_MAX) {
      found.push([file]);
      bytes = file.file.data.length;
    } else some.push(file);
  }
  return found;
}
