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
  /**
   * Asks for a path by HTTP (GET) on a connection of its own, which is closed once the status is there or the signal
   * aborts: a connection that is kept for later would hold up a server that closes. Redirections are not followed.
   * Rejects with the reason when no answer comes. Absent: `fetch` asks.
   */
  request?(
    address: string,
    port: number,
    path: string,
    signal: AbortSignal,
  ): Promise<{ readonly status: number }>;
}

/** The part of `fetch` that probes use. */
export type ProbeFetch = (
  url: string,
  init: { readonly signal: AbortSignal; readonly redirect: 'manual' },
) => Promise<{ readonly status: number; readonly body?: { cancel(): Promise<void> } | null }>;
