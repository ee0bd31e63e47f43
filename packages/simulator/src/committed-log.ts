/**
 * The log as a bystander sees it: each committed transaction once, in order, whichever manager applied it first. That
 * all managers apply the same is checked on the way.
 */

import type { ChangeSet, CommandId } from '@skep/core';
import type { Entry, EventLog, LogStateMachine } from '@skep/core/log';
import { type ClusterState, decodeTransaction, Replica } from '@skep/core/testing';
import { hashText, Violation } from '@skep/raft/simulator';

/** Hears of each committed transaction, once, in order. What it throws is kept as a violation. */
export type TransactionListener = (changes: ChangeSet, state: ClusterState) => void;

/** Follows what managers apply. */
export class CommittedLog {
  readonly #replica = new Replica();
  readonly #hashes = new Map<number, number>();
  readonly #commands = new Map<string, number>();
  readonly #listeners = new Set<TransactionListener>();
  readonly #machines = new Map<string, LogStateMachine>();
  #violation: unknown;

  constructor() {
    this.#replica.onCommit((changes, state) => {
      for (const listener of this.#listeners) this.#guard(() => listener(changes, state));
    });
  }

  /** The newest committed state. */
  get state(): ClusterState {
    return this.#replica.state;
  }

  /** A checksum of the whole state that a manager holds, or, for none, of the bystander's. */
  async digestOf(manager?: string): Promise<number> {
    const machine = manager === undefined ? this.#replica : this.#machines.get(manager);
    if (machine === undefined) return 0;
    const capture = machine.capture();
    let hash = hashText(String(capture.position));
    for await (const chunk of capture.chunks()) hash = hashBytes(chunk, hash);
    capture.release();
    return hash;
  }

  /** The first rule that was found broken, if any was. */
  get violation(): unknown {
    return this.#violation;
  }

  /** Position in the log of the command that was carried out under this id. */
  positionOf(commandId: string): number | undefined {
    return this.#commands.get(commandId);
  }

  onTransaction(listener: TransactionListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A manager's log, whose entries are looked at on their way to the manager. */
  watched(manager: string, log: EventLog): EventLog {
    const open = (machine: LogStateMachine) => {
      this.#machines.set(manager, machine);
      return log.open({
        apply: (entry) => {
          machine.apply(entry);
          this.#guard(() => this.#applied(manager, entry));
        },
        capture: () => machine.capture(),
        restore: (position, chunks) => machine.restore(position, chunks),
      });
    };
    return new Proxy(log, {
      get(target, name) {
        if (name === 'open') return open;
        const member = Reflect.get(target, name, target) as unknown;
        return typeof member === 'function' ? member.bind(target) : member;
      },
    });
  }

  /** Keeps what was found broken; the first is what counts. */
  fail(violation: unknown): void {
    this.#violation ??= violation;
  }

  #guard(look: () => void): void {
    try {
      look();
    } catch (error) {
      this.fail(error);
    }
  }

  #applied(manager: string, entry: Entry): void {
    const hash = hashBytes(entry.payload, hashText(String(entry.epoch)));
    const known = this.#hashes.get(entry.position);
    if (known !== undefined) {
      if (known === hash) return;
      throw new Violation(
        `${manager} applied another transaction at position ${entry.position} than others did`,
      );
    }
    const last = this.#replica.position;
    if (entry.position <= last) {
      throw new Violation(
        `${manager} applied position ${entry.position}, which nobody else did, behind ${last}`,
      );
    }
    this.#hashes.set(entry.position, hash);
    const { commandId } = decodeTransaction(entry.payload);
    if (commandId !== undefined) this.#note(commandId, entry.position);
    this.#replica.apply(entry);
  }

  #note(commandId: CommandId, position: number): void {
    const before = this.#commands.get(commandId);
    if (before !== undefined) {
      throw new Violation(
        `command ${commandId} was carried out twice, at positions ${before} and ${position}`,
      );
    }
    this.#commands.set(commandId, position);
  }
}

function hashBytes(bytes: Uint8Array, start: number): number {
  let hash = start;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
