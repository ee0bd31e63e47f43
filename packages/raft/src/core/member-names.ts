/**
 * What may stand in a configuration. The types say it to whoever compiles against them; what comes out of a file or a
 * request has passed no compiler, and once it is in the log, no member could refuse it any more.
 */

import type { Configuration } from './types.ts';

/** The longest id, in UTF-16 code units. */
export const MEMBER_ID_LENGTH_MAX = 255;

/** The longest address, in UTF-16 code units: a name of the DNS has 253 characters, and a port follows. */
export const ADDRESS_LENGTH_MAX = 300;

/** Which rule an id breaks; undefined if none. */
export function brokenMemberId(member: unknown): string | undefined {
  if (isText(member, MEMBER_ID_LENGTH_MAX)) return undefined;
  return `A member id must be a text of 1 to ${MEMBER_ID_LENGTH_MAX} characters.`;
}

/** Which rule the address of a member breaks; undefined if none, or if there is no address. */
export function brokenAddress(member: string, address: unknown): string | undefined {
  if (address === undefined || isText(address, ADDRESS_LENGTH_MAX)) return undefined;
  return `The address of member ${member} must be a text of 1 to ${ADDRESS_LENGTH_MAX} characters.`;
}

/** Which rule the first configuration of a cluster breaks; undefined if none. */
export function brokenBootstrap({ voters, learners, addresses }: Configuration): string | undefined {
  if (voters.length === 0) return 'A cluster needs at least one voter.';
  const seen = new Set<string>();
  for (const member of [...voters, ...learners]) {
    const broken = brokenMemberId(member) ?? brokenAddress(member, addresses[member]);
    if (broken !== undefined) return broken;
    if (seen.has(member)) return `Member ${member} is named twice.`;
    seen.add(member);
  }
  return undefined;
}

function isText(raw: unknown, lengthMax: number): raw is string {
  return typeof raw === 'string' && raw !== '' && raw.length <= lengthMax;
}
