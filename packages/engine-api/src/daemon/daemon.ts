/** `skepd`: one member of a cluster behind the engine's API, from its start to its end. */

import { join } from 'node:path';
import type { Logger } from '@skep/core';
import { EngineApi } from '../engine-api.ts';
import { driversOf } from './daemon-driver.ts';
import { DaemonMembership } from './daemon-membership.ts';
import type { DaemonOptions } from './daemon-options.ts';
import { holdPidfile } from './pidfile.ts';

/** A running daemon. */
export class Daemon {
  readonly #membership: DaemonMembership;
  readonly #api: EngineApi;
  readonly #options: DaemonOptions;
  readonly #releasePid: () => Promise<void>;
  #closing: Promise<void> | undefined;

  private constructor(parts: {
    readonly membership: DaemonMembership;
    readonly api: EngineApi;
    readonly options: DaemonOptions;
    readonly releasePid: () => Promise<void>;
  }) {
    this.#membership = parts.membership;
    this.#api = parts.api;
    this.#options = parts.options;
    this.#releasePid = parts.releasePid;
  }

  /**
   * Takes up what the data root holds, and serves.
   *
   * @throws UsageError; Error if an address is taken, or another process holds the pidfile
   */
  static async start(options: DaemonOptions, logger: Logger): Promise<Daemon> {
    const openDriver = await driversOf(options);
    const releasePid = options.pidfile === undefined ? async () => {} : await holdPidfile(options.pidfile);
    const { hostname, driver, address, dataRoot } = options;
    const membership = await DaemonMembership.open({
      ...{ hostname, driver, openDriver, logger },
      dir: join(dataRoot, 'node'),
      ...(address !== undefined && { address }),
    });
    const api = new EngineApi({ membership, logger });
    const daemon = new Daemon({ membership, api, options, releasePid });
    try {
      for (const host of options.hosts) await serve(api, host, options, logger);
      return daemon;
    } catch (error) {
      await daemon.close();
      throw error;
    }
  }

  /** Ends it in order; what it is stays. Safe to call twice. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#api.close();
    await this.#membership.close({ tasks: this.#options.stopTasks ? 'stop' : 'leave' });
    await this.#releasePid();
  }
}

async function serve(
  api: EngineApi,
  host: DaemonOptions['hosts'][number],
  { tls, insecureTcp }: DaemonOptions,
  logger: Logger,
): Promise<void> {
  if (host.kind === 'unix') {
    await api.listen(host.path);
    return;
  }
  if (tls === undefined && insecureTcp) {
    const { host: address, port } = host;
    logger.warn(
      { address, port },
      'serving without TLS: whoever reaches this may run anything on the cluster',
    );
  }
  await api.listenTcp({ ...host, security: tls ?? 'none' });
}
