/**
 * Which tasks of one node are stopped so that another one fits: none of a higher priority where those of a lower one
 * will do, of those as few as can be found, and of equals the youngest. Tasks that it is hardest to do without, those
 * of jobs and those under a lease, come last whatever their priority. Pure: numbers in, choices out.
 *
 * Finding the very fewest is a knapsack; here a greedy choice by what is covered of what still lacks is set beside the
 * one in order of worth, each then without what it can spare, as Kubernetes reprieves and Nomad measures distance.
 */

/** A task that could be stopped. `Key` stands for its service. */
export interface Candidate<Key = unknown> {
  readonly priority: number;
  /** Taken only when no others will do. */
  readonly isLastResort: boolean;
  /** What its end gives back, in the order of what lacks. */
  readonly gives: readonly number[];
  /** It holds a port that is wanted: without its end nothing fits. */
  readonly mustGo: boolean;
  /** Higher: younger. */
  readonly row: number;
  /** It counts against its service's budget. */
  readonly counts: boolean;
  readonly service: Key;
}

/**
 * Chooses.
 *
 * @param lack - how much there is too little of each resource; zero or less where there is enough.
 * @param budgetOf - how many tasks that count a service can still spare.
 * @returns those to stop; undefined when it does not fit with all of them gone either.
 */
export function chooseVictims<Key, C extends Candidate<Key>>(
  lack: readonly number[],
  candidates: readonly C[],
  budgetOf: (service: Key) => number,
): readonly C[] | undefined {
  const byWorth = [...candidates].sort(isWorthLess);
  const inOrder = new Choice<Key, C>(lack, budgetOf);
  for (const one of byWorth) if (one.mustGo && !inOrder.take(one)) return undefined;
  const forced = inOrder.taken.length;
  let last = -1;
  for (const [at, one] of byWorth.entries()) {
    if (inOrder.isEnough) break;
    if (!one.mustGo && inOrder.take(one)) last = at;
  }
  if (!inOrder.isEnough) return undefined;
  // All that are worth no more than the worthiest that it takes.
  const limit = byWorth[last];
  const among = limit === undefined ? [] : byWorth.filter((one) => !isOfMore(one, limit));
  const fewest = inOrder.taken.length === forced ? undefined : cover(lack, among, budgetOf, inOrder.taken);
  const [a, b] = [spared(lack, inOrder.taken), fewest && spared(lack, fewest)];
  return b !== undefined && b.length < a.length ? b : a;
}

/** Takes, again and again, what covers most of what still lacks. */
function cover<Key, C extends Candidate<Key>>(
  lack: readonly number[],
  among: readonly C[],
  budgetOf: (service: Key) => number,
  inOrder: readonly C[],
): readonly C[] | undefined {
  const choice = new Choice<Key, C>(lack, budgetOf);
  for (const one of inOrder) if (one.mustGo) choice.take(one);
  const left = new Set(among.filter((one) => !one.mustGo));
  while (!choice.isEnough) {
    let best: C | undefined;
    let most = 0;
    for (const one of left) {
      const covered = choice.covers(one);
      if (covered > most) [best, most] = [one, covered];
    }
    if (best === undefined) return undefined;
    left.delete(best);
    choice.take(best);
  }
  return choice.taken;
}

/** Those without whom it would not fit, when the worthiest are spared first. */
function spared<C extends Candidate>(lack: readonly number[], taken: readonly C[]): readonly C[] {
  const left = [...lack];
  for (const { gives } of taken)
    for (const [at, amount] of gives.entries()) left[at] = (left[at] ?? 0) - amount;
  const kept = new Set(taken);
  for (const one of [...taken].sort(isWorthLess).reverse()) {
    if (one.mustGo || !left.every((lacks, at) => lacks + (one.gives[at] ?? 0) <= 0)) continue;
    kept.delete(one);
    for (const [at, amount] of one.gives.entries()) left[at] = (left[at] ?? 0) + amount;
  }
  return [...kept].sort(isWorthLess);
}

class Choice<Key, C extends Candidate<Key>> {
  readonly taken: C[] = [];
  readonly #left: number[];
  readonly #budgetOf: (service: Key) => number;
  readonly #spent = new Map<Key, number>();

  constructor(lack: readonly number[], budgetOf: (service: Key) => number) {
    this.#left = [...lack];
    this.#budgetOf = budgetOf;
  }

  get isEnough(): boolean {
    return this.#left.every((lacks) => lacks <= 0);
  }

  /** The sum of the shares that it covers; 0 for one that its service can't spare. */
  covers(one: C): number {
    if (!this.#isSpared(one)) return 0;
    let sum = 0;
    for (const [at, lacks] of this.#left.entries()) {
      if (lacks > 0) sum += Math.min(1, (one.gives[at] ?? 0) / lacks);
    }
    return sum;
  }

  /** @returns whether its service can spare it */
  take(one: C): boolean {
    if (!this.#isSpared(one)) return false;
    if (one.counts) this.#spent.set(one.service, (this.#spent.get(one.service) ?? 0) + 1);
    for (const [at, amount] of one.gives.entries()) this.#left[at] = (this.#left[at] ?? 0) - amount;
    this.taken.push(one);
    return true;
  }

  #isSpared({ counts, service }: C): boolean {
    return !counts || this.#budgetOf(service) - (this.#spent.get(service) ?? 0) > 0;
  }
}

/** Which goes sooner. */
function isWorthLess(a: Candidate, b: Candidate): number {
  return Number(a.isLastResort) - Number(b.isLastResort) || a.priority - b.priority || b.row - a.row;
}

function isOfMore(a: Candidate, b: Candidate): boolean {
  return a.isLastResort === b.isLastResort ? a.priority > b.priority : a.isLastResort;
}

/** What a choice costs, by which nodes are compared. */
export interface VictimsCost {
  readonly lastResort: number;
  /** The highest priority among them; -Infinity: there are none. */
  readonly highest: number;
  readonly count: number;
  /** Row of the oldest. */
  readonly oldest: number;
}

/** The cost of a choice. */
export function costOf(victims: readonly Candidate[]): VictimsCost {
  return {
    lastResort: victims.filter(({ isLastResort }) => isLastResort).length,
    highest: victims.reduce((most, { priority }) => Math.max(most, priority), Number.NEGATIVE_INFINITY),
    count: victims.length,
    oldest: victims.reduce((least, { row }) => Math.min(least, row), Number.POSITIVE_INFINITY),
  };
}

/** Negative where the first costs less. */
export function compareCosts(a: VictimsCost, b: VictimsCost): number {
  if (a.lastResort !== b.lastResort) return a.lastResort - b.lastResort;
  if (a.highest !== b.highest) return a.highest < b.highest ? -1 : 1;
  if (a.count !== b.count) return a.count - b.count;
  return a.oldest === b.oldest ? 0 : b.oldest < a.oldest ? -1 : 1;
}
