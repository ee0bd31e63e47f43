/** The rules of the schemas in Skep's words, where a schema gives none of its own. */

import type * as z from 'zod';

/** What is expected, by the schema library's name for it. */
const NOUNS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'an object',
  record: 'an object',
  array: 'a list',
};

/** What sizes are counted in, by what has them. Absent: it is a number itself. */
const UNITS: Readonly<Record<string, string>> = { string: 'characters', array: 'items' };

/** The rule that an input broke: `must be a whole number`. */
export function ruleInWords(issue: z.core.$ZodRawIssue): string {
  switch (issue.code) {
    case 'invalid_type': {
      const noun = NOUNS[issue.expected] ?? `of type ${issue.expected}`;
      return issue.input === undefined ? `must be provided, as ${noun}` : `must be ${noun}`;
    }
    case 'invalid_value':
      return `must be ${oneOf(issue.values)}`;
    case 'invalid_union':
      return Array.isArray(issue.options)
        ? `must be ${oneOf(issue.options)}`
        : 'has a form that is not known';
    case 'too_small':
      return `must ${bound(issue.origin, issue.inclusive === false ? 'more than' : 'at least', issue.minimum)}`;
    case 'too_big':
      return `must ${bound(issue.origin, issue.inclusive === false ? 'less than' : 'at most', issue.maximum)}`;
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}`;
    case 'invalid_format':
      return issue.pattern === undefined
        ? `must be of the format ${issue.format}`
        : `must match ${issue.pattern}`;
    default:
      return 'is not allowed';
  }
}

function bound(origin: string, words: string, limit: number | bigint): string {
  const unit = UNITS[origin];
  return unit === undefined ? `be ${words} ${limit}` : `have ${words} ${limit} ${unit}`;
}

/** `'a', 'b' or 'c'`. */
function oneOf(values: readonly unknown[]): string {
  const told = values.map((value) => (typeof value === 'string' ? `'${value}'` : String(value)));
  const last = told.pop() ?? 'absent';
  return told.length === 0 ? last : `${told.join(', ')} or ${last}`;
}
