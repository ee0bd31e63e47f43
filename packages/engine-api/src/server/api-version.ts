/** The versions of the API that are spoken, and which one a request asks for. */

import { Refusal } from './refusal.ts';

/** A version by its minor number: all are 1.x. */
export type ApiVersion = number;

/** The newest and the oldest that are spoken. */
export const API_VERSION: ApiVersion = 50;
export const API_VERSION_MIN: ApiVersion = 24;

/** The version as it is written. */
export function versionText(version: ApiVersion): string {
  return `1.${version}`;
}

const VERSIONED = /^\/v(\d+)\.(\d+)(?=\/|$)/;

/**
 * Takes the version off a path. A path without one asks for the newest.
 *
 * @throws Refusal 400 for a version that is not spoken.
 */
export function versionOf(path: string): { readonly version: ApiVersion; readonly rest: string } {
  const match = VERSIONED.exec(path);
  if (match === null) return { version: API_VERSION, rest: path };
  const [prefix, major, minor] = match;
  const asked = { major: Number(major), minor: Number(minor) };
  const text = `${asked.major}.${asked.minor}`;
  if (asked.major > 1 || (asked.major === 1 && asked.minor > API_VERSION)) {
    const most = `Maximum supported API version is ${versionText(API_VERSION)}`;
    throw new Refusal(400, `client version ${text} is too new. ${most}`);
  }
  if (asked.major < 1 || asked.minor < API_VERSION_MIN) {
    const least = `Minimum supported API version is ${versionText(API_VERSION_MIN)}`;
    throw new Refusal(
      400,
      `client version ${text} is too old. ${least}, please upgrade your client to a newer version`,
    );
  }
  return { version: asked.minor, rest: path.slice(prefix.length) || '/' };
}
