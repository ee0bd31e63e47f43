/** Times as the engine writes them: RFC 3339 for moments, nanoseconds for durations. */

const NANOS_PER_MS = 1_000_000;

/** A moment. @param at - milliseconds since 1970 */
export function timestamp(at: number): string {
  return new Date(at).toISOString();
}

/** A duration in nanoseconds. */
export function nanos(ms: number): number {
  return Math.round(ms * NANOS_PER_MS);
}

/** A duration in whole milliseconds. What is shorter than one, and is not nothing, is one. */
export function millisOf(duration: number): number {
  return Math.ceil(duration / NANOS_PER_MS);
}
