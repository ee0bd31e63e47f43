/** Refuses options that are none, before anything is made of them: callers without types get a typed error, too. */

import { InvalidSpecError, type SpecIssue } from '../errors.ts';

/** Every option that there is, so that a new one can't be forgotten. */
export type OptionNames<Options> = Readonly<Record<keyof Options, true>>;

/**
 * Checks that these are options, that none has a name that is not known, and that a signal is one.
 *
 * @param under - the field that holds them, where one does. Default: none.
 * @throws InvalidSpecError naming each.
 */
export function checkOptions<Options extends object>(
  options: unknown,
  names: OptionNames<Options>,
  under?: string,
): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new InvalidSpecError([{ field: under ?? 'options', rule: 'must be an object, or left out' }]);
  }
  const issues: SpecIssue[] = [];
  for (const [name, value] of Object.entries(options)) {
    const field = under === undefined ? name : `${under}.${name}`;
    if (!Object.hasOwn(names, name)) issues.push({ field, rule: 'unknown option' });
    else if (name === 'signal' && value !== undefined && !isSignal(value)) {
      issues.push({ field, rule: 'must be an AbortSignal' });
    }
  }
  if (issues.length > 0) throw new InvalidSpecError(issues);
}

/** By its form: a signal may come from another realm. */
function isSignal(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'aborted' in value && 'addEventListener' in value;
}
