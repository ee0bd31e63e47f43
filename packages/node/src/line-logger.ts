/** A logger that writes warnings and errors as lines of JSON. */

import type { LogFields, Logger } from '@skep/core';

/** Writes what an operator should know of; not what is there for debugging. */
export function lineLogger(out: NodeJS.WritableStream, fields: LogFields = {}): Logger {
  const write = (level: string) => (more: LogFields, message: string) => {
    const at = new Date().toISOString();
    out.write(`${JSON.stringify({ at, level, message, ...fields, ...more }, inWords)}\n`);
  };
  return {
    debug: () => {},
    info: () => {},
    warn: write('warn'),
    error: write('error'),
    child: (more) => lineLogger(out, { ...fields, ...more }),
  };
}

/** An error has no fields that JSON would show. */
function inWords(_: string, value: unknown): unknown {
  return value instanceof Error ? (value.stack ?? value.message) : value;
}
