/**
 * Ownership of the nodes inside the persistent collections: which nodes a running batch may change in place.
 *
 * This sits below the vector, the map and the row set and knows none of them. A batch (one transaction being
 * applied) creates one owner and passes it to every write. A node that was made under that owner is changed in
 * place, any other node is copied first. It must never happen that a reader of one version sees a change that
 * was made for another: the two rules below turn each way to get there into an {@link OwnershipError}.
 *
 * 1. A write that changes something returns a new collection object. If the object that it was called on was made
 *    under the same owner, its nodes may have been reused, so that object is spent: reading or writing it throws.
 *    An object made under any other owner stays valid for ever.
 * 2. An owner is over as soon as another owner writes on something that it made, or when it is closed with
 *    {@link closeOwner}. Writing with an owner that is over throws.
 *
 * So a batch is written `rows = rows.set(…, owner)`, always with the newest object; whatever is in `rows` when the
 * batch ends is a capture that costs nothing and never changes.
 *
 * Source: the edit token of Clojure's transients (Hickey, 2009), which throws in the same cases.
 */

/** Thrown when a persistent collection is used in a way that would let one version see the changes of another. */
export class OwnershipError extends Error {
  override readonly name = 'OwnershipError';
}

class BatchOwner {
  #over = false;

  get over(): boolean {
    return this.#over;
  }

  end(): void {
    this.#over = true;
  }
}

/** The right of one batch to change in place what it made itself. Opaque: it is created, passed on and dropped. */
export type Owner = BatchOwner;

/** Begins a batch: nothing that exists belongs to the new owner yet. */
export function createOwner(): Owner {
  return new BatchOwner();
}

/**
 * Ends a batch: everything that it made is immutable from now on, and a later write with this owner throws.
 * Dropping the last reference to the owner does as well; closing also guards against a reference that was kept.
 */
export function closeOwner(owner: Owner): void {
  owner.end();
}

/**
 * The check that every write begins with: `owner` is about to write on a collection that `maker` made. Ends the
 * maker's batch if it is another one, since from now on both versions share its nodes.
 *
 * @throws OwnershipError if the batch of `owner` is over.
 */
export function takeOver(maker: Owner | undefined, owner: Owner): void {
  if (owner.over) {
    throw new OwnershipError(
      'this owner is over: it was closed, or another owner has written on what it made; begin a batch with createOwner()',
    );
  }
  if (maker !== undefined && maker !== owner) {
    maker.end();
  }
}

/** The error for using a collection object whose nodes its own batch has changed since. */
export function spentError(collection: string): OwnershipError {
  return new OwnershipError(
    `this ${collection} is spent: a later write of the same batch returned its successor; keep the returned object instead`,
  );
}
