/** The one place in core that asks the host for a microtask: no time passes before it runs, under any clock. */

/** Calls back once what runs now has run to its end, before anything else gets a turn. */
export function afterThis(callback: () => void): void {
  queueMicrotask(callback);
}
