/** What the source answers, while it is asked for. */

import { useEffect, useState } from 'preact/hooks';
import { SourceError } from './client/http-source.ts';

/** An answer, or why there is none yet. */
export type Asked<T> =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'answer'; readonly value: T }
  | { readonly kind: 'failed'; readonly message: string };

/** Asks anew whenever `key` is another; what was asked before is given up. */
export function useAnswer<T>(key: string, ask: (signal: AbortSignal) => Promise<T>): Asked<T> {
  const [asked, setAsked] = useState<Asked<T>>({ kind: 'waiting' });
  useEffect(() => {
    const ending = new AbortController();
    ask(ending.signal).then(
      (value) => !ending.signal.aborted && setAsked({ kind: 'answer', value }),
      (error: unknown) =>
        !ending.signal.aborted && setAsked({ kind: 'failed', message: errorInWords(error) }),
    );
    return () => ending.abort();
  }, [key]);
  return asked;
}

export function errorInWords(error: unknown): string {
  if (error instanceof SourceError || error instanceof Error) return error.message;
  return String(error);
}
