/**
 * Keeps a node's certificate, roots and list of managers as they should be: it takes the news, renews the certificate
 * before it ends, when it is asked to, when another root signs, or when the node is to have another role, and tells
 * when the role has changed.
 */

import type { CancelTimer, Clock, Logger, Random } from '@skep/core';
import { NodeError } from '../errors.ts';
import { BACKDATE_MS, requestCertificate } from '../security/certificate-authority.ts';
import type { Credentials } from '../security/credentials.ts';
import type { NodeRole } from '../security/identity.ts';
import { leafOf } from '../security/pem.ts';
import { renewalRetryMs, renewalTime } from '../security/renewal.ts';
import type { StateDirectory } from '../state-directory/state-directory.ts';
import type { Issued, News } from './methods.ts';

/** What a node asks of the managers for its upkeep. */
export interface UpkeepRequests {
  renew(request: string): Promise<Issued>;
  report(chain: string): Promise<void>;
}

/** What upkeep works with. */
export interface UpkeepParts {
  readonly credentials: Credentials;
  readonly directory: StateDirectory;
  /** Seals the private key while autolock is on. */
  readonly unlockKey: () => Uint8Array | undefined;
  readonly requests: UpkeepRequests;
  /** The node's certificate has another role now. */
  readonly onRole: (role: NodeRole) => void;
  readonly onManagers: (addresses: readonly string[]) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** While a rotation lasts, a node says so often which certificate it has, in ms. */
const REPORT_MS = 1_000;
/** News of a manager that lags ask for what was done already; it is done again only after so long, in ms. */
const STALE_MS = 1_000;

/** A node's upkeep. */
export class Upkeep {
  readonly #parts: UpkeepParts;
  #news: News | undefined;
  /** The news that the last renewal was made for. */
  #renewedFor: News | undefined;
  #failures = 0;
  #renewing: Promise<void> | undefined;
  #last: Promise<void> = Promise.resolve();
  #cancelRenewal: CancelTimer = () => {};
  #cancelReport: CancelTimer = () => {};
  #isClosed = false;

  constructor(parts: UpkeepParts) {
    this.#parts = parts;
    this.#schedule();
  }

  /** Takes the news to heart. */
  take(news: News): Promise<void> {
    return this.#inTurn(async () => {
      const { credentials, directory, onManagers } = this.#parts;
      const known = this.#news;
      this.#news = news;
      onManagers(news.managers);
      if (news.managers.length > 0 && news.managers.join() !== known?.managers.join()) {
        await directory.writeManagers(news.managers);
      }
      if (news.roots !== credentials.texts.roots) {
        await directory.writeRoots(news.roots);
        credentials.replace({ roots: news.roots });
      }
      this.#schedule();
      this.#report();
    });
  }

  /** Renews the certificate now. @throws NodeError if the managers refuse it, or none is reached. */
  renew(): Promise<void> {
    this.#renewing ??= this.#renew().finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  /** Ends it, once what is being written is written. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelRenewal();
    this.#cancelReport();
    await this.#last;
  }

  /** What is written to the disk is written by one at a time, and by nobody after the end. */
  #inTurn(run: () => Promise<void>): Promise<void> {
    const turn = this.#last.then(() => (this.#isClosed ? undefined : run()));
    this.#last = turn.catch(() => {});
    return turn;
  }

  /** Why the certificate has to be renewed at once, if so. */
  get #isOverdue(): boolean {
    const news = this.#news;
    if (news === undefined) return false;
    const { credentials } = this.#parts;
    if (news.role !== credentials.identity.role) return true;
    if (credentials.validity.from + BACKDATE_MS < news.renewBefore) return true;
    return !leafOf(credentials.texts.chain).verify(leafOf(news.signer).publicKey);
  }

  #schedule(): void {
    const { credentials, clock, random } = this.#parts;
    this.#cancelRenewal();
    if (this.#isClosed) return;
    let waitMs = renewalTime(credentials.validity, random) - clock.now();
    if (this.#isOverdue) {
      const spreadMs = this.#isAlone ? 0 : (this.#news?.spreadMs ?? 0);
      waitMs = this.#renewedFor === this.#news ? STALE_MS : random.next() * spreadMs;
    }
    if (this.#failures > 0) waitMs = renewalRetryMs(this.#failures, random);
    this.#cancelRenewal = clock.setTimer(Math.max(0, waitMs), () => void this.renew().catch(() => {}));
  }

  /** A change of role is one node's affair: there is nobody to make way for. */
  get #isAlone(): boolean {
    return this.#news?.role !== this.#parts.credentials.identity.role;
  }

  async #renew(): Promise<void> {
    const { credentials, directory, unlockKey, requests, onRole, onManagers, logger } = this.#parts;
    const before = credentials.identity;
    const news = this.#news;
    try {
      const { privateKey, request } = await requestCertificate();
      const { chain, roots, managers } = await requests.renew(request);
      const texts = { privateKey, chain, roots };
      await this.#inTurn(async () => {
        await directory.writeCredentials(texts, unlockKey());
        credentials.replace(texts);
      });
      if (this.#isClosed) return;
      onManagers(managers);
      this.#failures = 0;
      this.#renewedFor = news;
    } catch (error) {
      this.#failures += 1;
      logger.warn({ err: error, failures: this.#failures }, 'could not renew the certificate; trying again');
      this.#schedule();
      throw error instanceof Error ? error : new NodeError('INTERNAL', String(error));
    }
    const { role } = credentials.identity;
    logger.info({ role }, 'renewed the certificate');
    this.#schedule();
    this.#report();
    if (role !== before.role) onRole(role);
  }

  #report(): void {
    this.#cancelReport();
    if (this.#isClosed || !this.#news?.isRotating) return;
    const { credentials, clock, requests, logger } = this.#parts;
    this.#cancelReport = clock.setTimer(REPORT_MS, () => this.#report());
    requests
      .report(credentials.texts.chain)
      .catch((error: unknown) => logger.debug({ err: error }, 'could not report the certificate'));
  }
}
