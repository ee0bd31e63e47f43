/**
 * A constant load over a service's endpoints: so many requests a second, each sent once to the endpoint whose turn it
 * is, over connections that are kept. It learns of endpoints some time after the feed tells them, as a proxy on another
 * machine would.
 */

import { Agent, request } from 'node:http';
import type { Cluster, Endpoints } from '@skep/core';

/** How many requests of a load had which outcome. */
export interface LoadCount {
  requests: number;
  failed: number;
  /** The first few failures, in words. */
  readonly failures: string[];
  /** Milliseconds of each answer, as they came. */
  readonly latencies: number[];
  /** Answers by the version that gave them. */
  readonly byVersion: Map<string, number>;
  /** Fewest endpoints that there were to choose from. */
  fewest: number;
}

/** Milliseconds between two looks at how many requests are due. */
const TICK_MS = 5;
const FAILURES_TOLD = 5;

/** A load that goes on until it is stopped. */
export class Load {
  readonly count: LoadCount = {
    requests: 0,
    failed: 0,
    failures: [],
    latencies: [],
    byVersion: new Map(),
    fewest: Number.POSITIVE_INFINITY,
  };
  readonly #agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
  readonly #pending = new Set<Promise<void>>();
  readonly #stopListening: () => void;
  #endpoints: Endpoints = [];
  #turn = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param lagMs - how long after the feed told of endpoints the load goes by them. */
  constructor(cluster: Cluster, service: string, lagMs: number) {
    const end = new AbortController();
    const feed = cluster.endpoints(service, { signal: end.signal });
    const subscription = feed.subscribe((endpoints) => {
      const adopt = () => {
        this.#endpoints = endpoints;
        if (this.#timer !== undefined) this.count.fewest = Math.min(this.count.fewest, endpoints.length);
      };
      if (lagMs === 0) adopt();
      else setTimeout(adopt, lagMs);
    });
    this.#stopListening = () => {
      end.abort();
      subscription.unsubscribe();
    };
  }

  /** Begins to send. */
  start(perSecond: number): void {
    const from = performance.now();
    let sent = 0;
    this.#timer = setInterval(() => {
      const due = Math.floor(((performance.now() - from) / 1000) * perSecond);
      for (; sent < due; sent++) this.#send();
    }, TICK_MS);
  }

  /** Sends no more, and waits for the answers that are still due. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#pending);
    this.#stopListening();
    this.#agent.destroy();
  }

  #send(): void {
    const { count } = this;
    count.requests += 1;
    const endpoint = this.#endpoints[this.#turn++ % Math.max(1, this.#endpoints.length)];
    const port = endpoint?.ports[0]?.port;
    const from = performance.now();
    const answered = this.#ask(endpoint?.address, port).then(
      (version) => {
        count.latencies.push(performance.now() - from);
        count.byVersion.set(version, (count.byVersion.get(version) ?? 0) + 1);
      },
      (error: unknown) => {
        count.failed += 1;
        const told = error instanceof Error ? error.message : String(error);
        if (count.failures.length < FAILURES_TOLD) count.failures.push(`${endpoint?.taskId}: ${told}`);
      },
    );
    this.#pending.add(answered);
    void answered.finally(() => this.#pending.delete(answered));
  }

  #ask(host: string | undefined, port: number | undefined): Promise<string> {
    if (host === undefined || port === undefined) return Promise.reject(new Error('there is no endpoint'));
    return new Promise((resolve, reject) => {
      const sent = request({ host, port, agent: this.#agent, path: '/' }, (reply) => {
        let body = '';
        reply.setEncoding('utf8');
        reply.on('data', (text: string) => {
          body += text;
        });
        reply.on('error', reject);
        reply.on('end', () => {
          if (reply.statusCode === 200 && reply.complete) resolve(body);
          else reject(new Error(`HTTP status ${reply.statusCode}`));
        });
      });
      sent.on('error', reject);
      sent.end();
    });
  }
}
