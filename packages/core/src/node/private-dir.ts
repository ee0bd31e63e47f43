/** Directories of ours in places where everybody may write. */

import { lstatSync, mkdirSync } from 'node:fs';
import { userInfo } from 'node:os';
import { DriverError } from '../errors.ts';

/**
 * Makes a directory that only this user can enter.
 *
 * @throws DriverError when another user made it first, or left it open: a name known beforehand invites that.
 */
export function makePrivateDir(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const found = lstatSync(path);
  if (!found.isDirectory() || found.uid !== userInfo().uid || (found.mode & 0o077) !== 0) {
    throw new DriverError(`${path} must be a directory that belongs to this user alone (mode 0700)`);
  }
}
