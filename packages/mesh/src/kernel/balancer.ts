/** Keeps the kernel's rules what they are to be: one transaction a change, and the whole again where it differs. */

import { CommandError, type RunCommand } from './command.ts';
import { changeTransaction, completeTransaction, type Ruleset, serviceChains } from './ruleset.ts';

/** The rules of one table. Its methods are called one after the other. */
export class Balancer {
  readonly #run: RunCommand;
  readonly #table: string;
  /** What the kernel has, as far as is known. Undefined: anything, such as what an earlier process left. */
  #programmed: Ruleset | undefined;

  constructor(run: RunCommand, table: string) {
    this.#run = run;
    this.#table = table;
  }

  /** @throws CommandError; then the kernel has the rules that it had */
  async program(ruleset: Ruleset): Promise<void> {
    const before = this.#programmed;
    if (before !== undefined) {
      const transaction = changeTransaction(before, ruleset);
      try {
        if (transaction !== '') await this.#commit(transaction);
        this.#programmed = ruleset;
        return;
      } catch (error) {
        if (!(error instanceof CommandError)) throw error;
        // The kernel does not have what it was thought to have.
        this.#programmed = undefined;
      }
    }
    await this.#commit(completeTransaction(ruleset));
    this.#programmed = ruleset;
  }

  /** Looks whether somebody else has removed or changed chains, and puts that right. @throws CommandError */
  async verify(): Promise<void> {
    const ruleset = this.#programmed;
    if (ruleset === undefined) return;
    const expected = serviceChains(ruleset);
    const present = await this.#chains();
    const isWhole = present?.has('output') === true && [...expected].every((name) => present.has(name));
    if (isWhole) return;
    this.#programmed = undefined;
    await this.program(ruleset);
  }

  /** Removes the table. @throws CommandError */
  async remove(): Promise<void> {
    this.#programmed = undefined;
    const lines = ['inet', 'bridge'].flatMap((family) => [
      `add table ${family} ${this.#table}`,
      `delete table ${family} ${this.#table}`,
    ]);
    await this.#commit(`${lines.join('\n')}\n`);
  }

  /** Undefined: there is no table. */
  async #chains(): Promise<ReadonlySet<string> | undefined> {
    const text = await this.#run('nft', ['-j', '-t', 'list', 'chains', 'inet']);
    const { nftables } = JSON.parse(text) as { readonly nftables: readonly ListedObject[] };
    const own = nftables.flatMap(({ chain }) => (chain?.table === this.#table ? [chain.name] : []));
    return own.length === 0 ? undefined : new Set(own);
  }

  async #commit(transaction: string): Promise<void> {
    await this.#run('nft', ['-f', '-'], { input: transaction });
  }
}

interface ListedObject {
  readonly chain?: { readonly table: string; readonly name: string };
}
