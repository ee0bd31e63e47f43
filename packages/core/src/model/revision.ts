/** Secrets and configs have revisions: rotating one gives it a newer, and specs say which they mean. */

/** What has a newest revision and some before it. */
interface Revised<Older extends { readonly revision: number }> {
  readonly revision: number;
  readonly older: readonly Older[];
}

/** The object's revision of that number, newest or older; undefined when it is not kept (any more). */
export function revisionOf<
  Older extends { readonly revision: number },
  Newest extends Revised<Older> & Older,
>(object: Newest & Revised<Older>, revision: number): Older | undefined {
  if (object.revision === revision) return object;
  return object.older.find((each) => each.revision === revision);
}
