/** Ending what is made of several parts. */

/** Takes each step after the other, whatever becomes of those before. @throws the first one's error */
export async function allSteps(steps: Iterable<() => unknown>): Promise<void> {
  const errors: unknown[] = [];
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
}
