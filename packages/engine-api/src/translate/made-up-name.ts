/** Names for services whose owner gives none. */

import type { Random } from '@skep/core';

const WORDS = {
  first: [
    'amber',
    'basking',
    'bold',
    'bright',
    'calm',
    'clever',
    'crisp',
    'drowsy',
    'eager',
    'early',
    'fair',
    'fleet',
    'gentle',
    'golden',
    'humming',
    'jolly',
    'keen',
    'kind',
    'lively',
    'mellow',
    'merry',
    'nimble',
    'patient',
    'plucky',
    'quick',
    'quiet',
    'sunny',
    'swift',
    'tidy',
    'warm',
    'wise',
    'zesty',
  ],
  second: [
    'alvear',
    'bee',
    'borage',
    'brood',
    'clover',
    'comb',
    'dancer',
    'drone',
    'forager',
    'frisch',
    'gatherer',
    'guard',
    'heather',
    'hive',
    'honey',
    'huber',
    'keeper',
    'langstroth',
    'lavender',
    'linden',
    'meadow',
    'nectar',
    'nurse',
    'pollen',
    'propolis',
    'queen',
    'scout',
    'skep',
    'swarm',
    'thyme',
    'wax',
    'willow',
  ],
} as const;

/** A name such as `gentle_clover`; after some attempts with a number behind it. */
export function madeUpName(random: Random, attempt: number): string {
  const [first = 0, second = 0, third = 0] = random.bytes(3);
  const pick = (words: readonly string[], byte: number) => words[byte % words.length] ?? '';
  const name = `${pick(WORDS.first, first)}_${pick(WORDS.second, second)}`;
  return attempt < 3 ? name : `${name}${third}`;
}
