import type { TaskFile } from '../driver/runtime-driver.ts';

/** Key under which a revision of a secret or config is assigned. Names are compared without regard to case. */
export function fileKey(kind: TaskFile['kind'], name: string, revision: number): string {
  return `${kind}/${name.toLowerCase()}/${revision}`;
}
