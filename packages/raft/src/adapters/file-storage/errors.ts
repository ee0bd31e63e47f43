/** The errors of the file storage, matched by their code, and what is known of errors from the operating system. */

/** What went wrong, as a stable code. */
export type FileStorageErrorCode =
  /** Another storage, in this process or another, has the directory open. */
  | 'locked'
  /** What was safely on disk can no longer be read. `file` and `offset` say where. Nothing was changed. */
  | 'corrupt'
  /** A file is sealed under a key that the key provider does not have. The files may be in perfect order. */
  | 'wrong-key'
  /** The key provider could not be asked. Trying again later may help. */
  | 'key-unavailable'
  /** A file was written by a newer version of this program. */
  | 'unsupported-version'
  /**
   * There is no room. Nothing of the refused write is on disk, and everything before it is. The same batches may be
   * handed over again, in order, once there is room.
   */
  | 'disk-full'
  /** A write or a sync failed. What was under way may or may not be there; nothing is taken until it is opened anew. */
  | 'failed'
  /** The storage is not open, or is closed. */
  | 'closed'
  /** The term, the vote or the commit index of a batch lies behind what is on disk. Nothing was changed. */
  | 'hard-state-regressed'
  /** A batch has a gap, would cut what is committed, or came out of order. Nothing was changed. */
  | 'invalid-batch'
  /** That snapshot was never completed here, or a newer one has taken its place. */
  | 'snapshot-missing'
  /** An option breaks a rule that the message names. */
  | 'invalid-option';

/** Where damage was found. */
export interface DamagePlace {
  readonly file: string;
  /** In bytes from the start of the file. */
  readonly offset: number;
}

/** Thrown by the file storage, and by nothing else. */
export class FileStorageError extends Error {
  override readonly name = 'FileStorageError';
  readonly code: FileStorageErrorCode;
  readonly place: DamagePlace | undefined;

  constructor(
    code: FileStorageErrorCode,
    message: string,
    details: { readonly cause?: unknown; readonly place?: DamagePlace } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.place = details.place;
  }
}

/** Damage at a place. The message names it as well. */
export function corrupt(file: string, offset: number, what: string): FileStorageError {
  return new FileStorageError('corrupt', `${file} is damaged at offset ${offset}: ${what}`, {
    place: { file, offset },
  });
}

/** The name that the operating system gives to a failure, such as `ENOENT`. */
export function systemCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** Whether a failure means that there is no room, or none within a quota. */
export function isOutOfSpace(error: unknown): boolean {
  const code = systemCode(error);
  return code === 'ENOSPC' || code === 'EDQUOT';
}

/** An error as this storage throws it: its own kind unchanged, lack of room as `disk-full`, all others as `failed`. */
export function asStorageError(error: unknown, doing: string): FileStorageError {
  if (error instanceof FileStorageError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  const code = isOutOfSpace(error) ? 'disk-full' : 'failed';
  return new FileStorageError(code, `${doing}: ${reason}`, { cause: error });
}
