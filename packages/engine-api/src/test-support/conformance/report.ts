/** What a replay came to, for people. */

import type { ReplayedExchange } from './replay.ts';

/** Exchanges that differ in a way that is not meant. */
export function faultsOf(replayed: readonly ReplayedExchange[]): string[] {
  return replayed.flatMap(({ recording, request, differences }) =>
    differences
      .filter(({ meant }) => meant === undefined)
      .map(({ text }) => `${recording}: ${request}: ${text}`),
  );
}

/** `N of N` first, then each fault, then the differences that are meant with their reasons. */
export function report(replayed: readonly ReplayedExchange[]): string {
  const faulty = replayed.filter(({ differences }) => differences.some(({ meant }) => meant === undefined));
  const alike = replayed.filter(({ differences }) => differences.length === 0);
  const lines = [
    `${replayed.length - faulty.length} of ${replayed.length} exchanges conform: ` +
      `${alike.length} to the letter, ${replayed.length - faulty.length - alike.length} but for differences that are meant`,
    ...faultsOf(replayed).map((fault) => `  differs: ${fault}`),
  ];
  const counts = new Map<string, number>();
  for (const { differences } of replayed) {
    for (const reason of new Set(differences.flatMap(({ meant }) => meant?.reason ?? []))) {
      counts.set(reason, (counts.get(reason) ?? 0) + 1);
    }
  }
  if (counts.size > 0) lines.push('meant differences, and in how many exchanges:');
  for (const [reason, count] of counts) lines.push(`  ${String(count).padStart(4)}  ${reason}`);
  return `${lines.join('\n')}\n`;
}
