/**
 * The property that every persistent collection must have, for the tests beside it: whatever batches are made from
 * whatever earlier versions, each version stays equal to its model for ever.
 */
import fc from 'fast-check';
import { createOwner, type Owner } from '../owner.ts';

/** How a collection is written to, and what it is compared with. */
export interface Subject<Collection, Model, Change> {
  readonly empty: Collection;
  readonly emptyModel: Model;
  readonly change: fc.Arbitrary<Change>;
  readonly apply: (collection: Collection, change: Change, owner: Owner) => Collection;
  /** Returns a new model; the given one is kept for the version that it belongs to. */
  readonly applyToModel: (model: Model, changes: readonly Change[]) => Model;
  readonly check: (collection: Collection, model: Model) => void;
}

/**
 * Makes a tree of versions: each batch begins at some earlier version, often the newest, else one to which the
 * state dropped back, and adds one. All versions are checked at the end.
 */
export function everyVersionStaysAsItWas<Collection, Model, Change>(
  subject: Subject<Collection, Model, Change>,
  options: { readonly batches: number; readonly changes: number; readonly runs: number },
): void {
  const batch = fc.record({
    back: fc.oneof(
      { weight: 3, arbitrary: fc.constant(0) },
      { weight: 1, arbitrary: fc.nat(options.batches) },
    ),
    changes: fc.array(subject.change, { maxLength: options.changes, size: 'max' }),
  });
  const history = fc.array(batch, { maxLength: options.batches, size: 'max' });
  fc.assert(
    fc.property(history, (batches) => {
      const versions = [{ collection: subject.empty, model: subject.emptyModel }];
      for (const { back, changes } of batches) {
        const base = versions[Math.max(0, versions.length - 1 - back)];
        if (base === undefined) {
          throw new Error('there is always the first version');
        }
        const owner = createOwner();
        let collection = base.collection;
        for (const change of changes) {
          collection = subject.apply(collection, change, owner);
        }
        versions.push({ collection, model: subject.applyToModel(base.model, changes) });
      }
      for (const version of versions) {
        subject.check(version.collection, version.model);
      }
    }),
    { numRuns: options.runs },
  );
}
