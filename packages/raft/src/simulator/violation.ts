/** A rule of Raft, or a promise of a node, was broken: what a simulation is there to find. */
export class Violation extends Error {
  override readonly name = 'Violation';
}
