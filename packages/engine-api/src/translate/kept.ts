/** How what the engine's JSON can't say is kept while a client changes something else. */

/**
 * The value as it is while what was sent reads as what the value is written as; else what was sent.
 *
 * @param sent - read from what a client sent
 * @param written - read from how the value would be written
 */
export function keptUnless<T>(sent: T, written: T, value: T): T {
  return JSON.stringify(sent) === JSON.stringify(written) ? value : sent;
}
