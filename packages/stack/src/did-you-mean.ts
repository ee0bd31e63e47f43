/** The hint for a mistyped word. Sits between a list of known words and an error message; never decides anything. */

/** Longer words are no typing errors of ours. */
const WORD_MAX = 40;
/** Known words looked at, so that a long list of names can't make a hint expensive. */
const KNOWN_MAX = 500;

/** The known word nearest to `word`, at most two slips of the finger away; `undefined` if none is. */
export function nearestWord(word: string, known: Iterable<string>): string | undefined {
  if (word.length > WORD_MAX) return undefined;
  const slipsMax = word.length <= 4 ? 1 : 2;
  let nearest: string | undefined;
  let slips = slipsMax + 1;
  let looked = 0;
  for (const candidate of known) {
    looked += 1;
    if (looked > KNOWN_MAX) break;
    if (Math.abs(candidate.length - word.length) >= slips) continue;
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < slips) {
      nearest = candidate;
      slips = distance;
    }
  }
  return nearest;
}

/** ` (did you mean 'ports'?)`, or nothing. */
export function didYouMean(word: string, known: Iterable<string>): string {
  const nearest = nearestWord(word, known);
  return nearest === undefined ? '' : ` (did you mean '${nearest}'?)`;
}

/**
 * Edit distance with swaps of neighbours counted as one slip: the optimal string alignment form of
 * Damerau (1964).
 */
function editDistance(a: string, b: string): number {
  let twoAbove: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const same = a[row - 1] === b[column - 1];
      let best = Math.min(
        (above[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (above[column - 1] ?? 0) + (same ? 0 : 1),
      );
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (swapped) best = Math.min(best, (twoAbove[column - 2] ?? 0) + 1);
      current.push(best);
    }
    twoAbove = above;
    above = current;
  }
  return above[b.length] ?? 0;
}
