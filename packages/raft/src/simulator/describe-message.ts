/** Messages as lines of a trace. */

import type { Message } from '../core/message.ts';
import { hashText } from './seeded-random.ts';

/** A message in one line. */
export function describe(message: Message): string {
  const { from, to, type, term, ...rest } = message;
  const details = Object.entries(rest).map(([name, value]) => `${name} ${detail(value)}`);
  return `${from} > ${to} ${type} term ${term} ${details.join(' ')}`.trimEnd();
}

function detail(value: unknown): string {
  if (Array.isArray(value)) return `[${value.length}]`;
  return typeof value === 'object' && value !== null
    ? `#${hashText(JSON.stringify(value)).toString(16)}`
    : String(value);
}
