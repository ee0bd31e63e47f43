/** Exchanges between the docker CLI and an engine, as they were recorded: one file a command, one exchange a line. */

import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const DIR = fileURLToPath(new URL('../../../recorded/', import.meta.url));

/** A body as it went over the wire. */
export interface RecordedBody {
  readonly json?: unknown;
  readonly text?: string;
  /** Of a stream. */
  readonly base64?: string;
}

/** A request, and what the engine answered. */
export interface RecordedExchange {
  readonly request: {
    readonly method: string;
    /** With its query. */
    readonly path: string;
    readonly contentType?: string;
    readonly registryAuth?: string;
    readonly body?: RecordedBody;
  };
  readonly response: {
    readonly status: number;
    readonly contentType?: string;
    readonly body?: RecordedBody;
    /** How it ended, where it did not end by itself. */
    readonly end?: string;
  };
}

/** A command, and all that the CLI asked for it. */
export interface Recording {
  /** Name of its file, without the ending. */
  readonly name: string;
  readonly command: string;
  readonly exchanges: readonly RecordedExchange[];
}

/** All of them, in the order in which they were made: each depends on those before. */
export function recordings(): readonly Recording[] {
  const names = readdirSync(DIR).filter((name) => name.endsWith('.jsonl'));
  return names.sort().map((name) => {
    const [first = '{}', ...rest] = readFileSync(`${DIR}${name}`, 'utf8').trimEnd().split('\n');
    const { command } = JSON.parse(first) as { readonly command: string };
    const exchanges = rest.map((line) => JSON.parse(line) as RecordedExchange);
    return { name: name.replace('.jsonl', ''), command, exchanges };
  });
}
