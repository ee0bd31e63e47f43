/** A health probe as the monitor sees it, whatever it asks, and what probes need of the world. */

/** What one probe found. */
export interface ProbeResult {
  readonly healthy: boolean;
  /** What it saw, in words. */
  readonly message: string;
}

/** Asks once. May throw: that counts as unhealthy. Ends when its signal aborts. */
export type Probe = (signal: AbortSignal) => Promise<ProbeResult>;

/** The network as probes need it. Core opens no connections by itself: `@skep/core/node` has one for Node. */
export interface ProbeNetwork {
  /** Resolves once a TCP connection stands, and closes it. Rejects with the reason when it does not come about. */
  connect(address: string, port: number, signal: AbortSignal): Promise<void>;
}

/** The part of `fetch` that probes use. */
export type ProbeFetch = (
  url: string,
  init: { readonly signal: AbortSignal; readonly redirect: 'manual' },
) => Promise<{ readonly status: number; readonly body?: { cancel(): Promise<void> } | null }>;
