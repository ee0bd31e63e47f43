/** What the parts of an open driver share. */

import type { DriverContext, RuntimeTask } from '@skep/core/driver';
import { removeMemoryFiles } from '@skep/core/node';
import type { CallLimit } from './call-limit.ts';
import type { Engine } from './engine.ts';
import type { EngineNetworks } from './engine-networks.ts';
import type { EngineWatch } from './engine-watch.ts';
import type { ImageFacts } from './image-facts.ts';
import type { ImagePuller } from './image-pull.ts';
import type { DockerDriverOptions } from './options.ts';

/** An open driver, as its tasks see it. */
export interface OpenEngine {
  readonly context: DriverContext;
  readonly options: DockerDriverOptions;
  /** The engine is on this machine. */
  readonly isLocal: boolean;
  readonly engine: Engine;
  readonly limit: CallLimit;
  readonly watch: EngineWatch;
  readonly images: ImageFacts;
  readonly puller: ImagePuller;
  readonly networks: EngineNetworks;
  /** Somebody makes networks through the driver, so tasks wait for theirs. */
  readonly areNetworksTaken: () => boolean;
  /** Directories of secrets and configs in memory, by task, for as long as their task may need them. */
  readonly files: Map<RuntimeTask['id'], string>;
  /** Runs work that ends when the signal aborts or the driver is closed. */
  operation<T>(signal: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<T>): Promise<T>;
}

/** The task needs its secrets and configs no more. */
export function releaseFiles({ files }: Pick<OpenEngine, 'files'>, id: RuntimeTask['id']): void {
  const dir = files.get(id);
  if (dir === undefined) return;
  files.delete(id);
  removeMemoryFiles(dir);
}
