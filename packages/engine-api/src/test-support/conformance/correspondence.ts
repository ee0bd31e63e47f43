/** What the ids, tokens and made-up names of the recordings are called in the cluster that they are replayed against. */

const CLUSTER_ID = /^[a-z0-9]{25}$/;
const TOKEN = /^SWM(TKN|KEY)-1-/;
const MADE_UP_NAME = /^[a-z]+_[a-z]+$/;
const PREFIX_MIN = 8;
const REPLACEABLE = /SWM(?:TKN|KEY)-1-[\w+/-]+|\b[a-z0-9]{8,}\b|[a-z]+_[a-z]+|10\.77\.0\.1(?::2377)?/g;

type Fields = Readonly<Record<string, unknown>>;

/** Learned from pairs of answers, the recorded one and ours. */
export class Correspondence {
  readonly #ours = new Map<string, string>();

  /** @param remote - where the first manager is reached */
  constructor(remote: string) {
    this.#ours.set('10.77.0.1:2377', remote).set('10.77.0.1', remote);
  }

  /** Whether it is known what the id is called here. */
  knows(recorded: string): boolean {
    return this.#ours.has(recorded);
  }

  set(recorded: string, ours: string): void {
    this.#ours.set(recorded, ours);
  }

  /** The text, with what the recordings call by other names. */
  translate(text: string): string {
    return text.replace(REPLACEABLE, (word) => this.#ours.get(word) ?? this.#begin(word) ?? word);
  }

  /** Takes what stands at the same place of two answers for the same. */
  learn(recorded: unknown, ours: unknown, key = ''): void {
    if (typeof recorded === 'string' && typeof ours === 'string') {
      if (isName(recorded, key) && isName(ours, key)) this.#learnWord(recorded, ours);
    } else if (Array.isArray(recorded) && Array.isArray(ours)) this.#learnList(recorded, ours);
    else if (isFields(recorded) && isFields(ours)) {
      for (const [name, value] of Object.entries(recorded)) this.learn(value, ours[name], name);
    }
  }

  /** An id may be told by how it begins. */
  #begin(word: string): string | undefined {
    if (word.length < PREFIX_MIN || !/^[a-z0-9]+$/.test(word)) return undefined;
    for (const [recorded, ours] of this.#ours) {
      if (CLUSTER_ID.test(recorded) && recorded.startsWith(word)) return ours.slice(0, word.length);
    }
    return undefined;
  }

  #learnWord(recorded: string, ours: string): void {
    if (!this.#ours.has(recorded)) this.#ours.set(recorded, ours);
  }

  /** Orders differ: members are paired by what they are. */
  #learnList(recorded: readonly unknown[], ours: readonly unknown[]): void {
    const left = ours.filter(isFields);
    for (const member of recorded.filter(isFields)) {
      const wanted = this.translate(whatItIs(member));
      const at = left.findIndex((one) => whatItIs(one) === wanted);
      if (at < 0) continue;
      this.learn(member, left[at]);
      left.splice(at, 1);
    }
  }
}

function isName(word: string, key: string): boolean {
  return CLUSTER_ID.test(word) || TOKEN.test(word) || (key === 'Name' && MADE_UP_NAME.test(word));
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What tells a member of a list from the others: its name, or its place among the tasks of its service. */
function whatItIs(member: Fields): string {
  const { Spec: spec, Description: description } = member;
  const name = isFields(spec) ? spec['Name'] : undefined;
  const hostname = isFields(description) ? description['Hostname'] : undefined;
  const { ServiceID: service, Slot: slot, DesiredState: desired } = member;
  return [name ?? member['Name'] ?? hostname ?? '', service, slot, desired].map(String).join(' ');
}
