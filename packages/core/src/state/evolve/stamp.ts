/** When and under which index the events of a transaction take effect. */
export interface Stamp {
  readonly index: number;
  /** Milliseconds since 1970, the leader's clock. */
  readonly at: number;
}
