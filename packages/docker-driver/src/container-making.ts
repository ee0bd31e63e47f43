/** Making a task's container: its files, its image, the container itself, or the one that an earlier attempt made. */

import { join } from 'node:path';
import { DriverError, type RuntimeTask } from '@skep/core/driver';
import { memoryFilesDir, writeMemoryFiles } from '@skep/core/node';
import { removeContainer } from './container-removal.ts';
import { type ContainerContext, containerSpec } from './container-spec.ts';
import { type EngineError, hasStatus, mayPass, toEngineError } from './engine-error.ts';
import { taskOf } from './labels.ts';
import type { OpenEngine } from './open-engine.ts';
import { pause } from './pause.ts';
import { refusals } from './refusals.ts';

/** How often, and after how long, a name is tried again that is taken by nothing. */
const NAME_ATTEMPTS = 50;
const NAME_POLL_MS = 50;

/** A container that there is now. */
export interface MadeContainer {
  readonly id: string;
  /** Made just now, so that it was never started. */
  readonly isFresh: boolean;
  /** Gives back the turn with the engine that it was made in. */
  readonly giveBack: () => void;
}

/**
 * Makes it, or finds it made.
 *
 * @param signal - ends a pull. The engine's making of the container is waited for in any case, so that it is known.
 * @throws DriverError when the spec, the image or a stranger's container stands against it; EngineError.
 */
export async function makeContainer(
  node: OpenEngine,
  task: RuntimeTask,
  signal: AbortSignal,
): Promise<MadeContainer> {
  const { options, puller, isLocal } = node;
  const issues = refusals(task.spec, { ...options, isLocal });
  if (issues.length > 0)
    throw new DriverError(issues.map(({ field, rule }) => `${field}: ${rule}`).join('; '));
  const { image = '' } = task.spec;
  const pull = () => puller.pull(image, signal).catch((error: unknown) => refuseImage(error, image, signal));
  if (options.pull === 'always') await pull();
  const networks = await networksOf(node, task, signal);
  const filePaths = writeFiles(node, task);
  const create = () => createConnected(node, task, { filePaths, networks }, signal);
  try {
    return await create();
  } catch (error) {
    if (!hasStatus(error, 404) || !/no such image/i.test(error.message)) throw error;
    if (options.pull === 'never')
      throw new DriverError(`image ${image} is not there, and none is pulled here`);
  }
  await pull();
  return create();
}

/** What the engine says of an image does not always name it. */
function refuseImage(error: unknown, image: string, signal: AbortSignal): never {
  if (signal.aborted) throw error;
  const told = toEngineError(error, 'pull');
  throw new DriverError(`image ${image} could not be pulled: ${told.message}`, {
    cause: told,
    temporary: mayPass(told),
    about: 'image',
  });
}

function writeFiles({ context, options, files }: OpenEngine, task: RuntimeTask): readonly string[] {
  if (task.files.length === 0) return [];
  const dir = memoryFilesDir(context, task.id, options.memoryDir);
  const named = task.files.map(({ mode, data }, index) => ({ name: String(index), mode, data }));
  writeMemoryFiles(dir, named);
  files.set(task.id, dir);
  return named.map(({ name }) => join(dir, name));
}

/** Those of its attachments; none where nobody has taken up the driver's networks. */
function networksOf(
  { networks, areNetworksTaken }: OpenEngine,
  { attachments }: RuntimeTask,
  signal: AbortSignal,
) {
  return areNetworksTaken() ? networks.await(attachments ?? [], signal) : [];
}

type Parts = Pick<ContainerContext, 'filePaths' | 'networks'>;

/** In all of its networks, or not at all. */
async function createConnected(
  node: OpenEngine,
  task: RuntimeTask,
  parts: Parts,
  signal: AbortSignal,
): Promise<MadeContainer> {
  const made = await createOrAdopt(node, task, parts, signal);
  const others = parts.networks.length === 0 ? [] : (task.attachments ?? []).slice(1);
  try {
    for (const attachment of others) await node.networks.connect(made.id, attachment);
    return made;
  } catch (error) {
    made.giveBack();
    if (made.isFresh) await removeContainer(node, made.id, signal);
    throw error;
  }
}

async function createOrAdopt(
  node: OpenEngine,
  task: RuntimeTask,
  parts: Parts,
  signal: AbortSignal,
): Promise<MadeContainer> {
  const { engine, limit, context, options } = node;
  const spec = containerSpec(task, { node: context, options, ...parts });
  for (let attempt = 1; ; attempt++) {
    const giveBack = await limit.take(signal);
    try {
      const { id } = await engine.call({ what: 'create' }, (docker) => docker.createContainer(spec));
      return { id, isFresh: true, giveBack };
    } catch (error) {
      giveBack();
      if (!hasStatus(error, 409)) throw error;
      const adopted = await adopt(node, task, error, signal);
      if (adopted !== undefined) return adopted;
      // Whoever reserved the name has not made the container yet, or has just removed it.
      if (attempt === NAME_ATTEMPTS) throw new DriverError(error.message, { cause: error, temporary: true });
      await pause(context.clock, NAME_POLL_MS, signal);
    }
  }
}

/** The container that has the name, if it is this task's. Undefined when there is none after all. */
async function adopt(
  { engine, context }: OpenEngine,
  task: RuntimeTask,
  conflict: EngineError,
  signal: AbortSignal,
): Promise<MadeContainer | undefined> {
  try {
    const found = await engine.call({ what: 'inspect', signal }, (docker, abortSignal) =>
      docker.getContainer(task.name).inspect({ abortSignal }),
    );
    if (taskOf(found.Config.Labels, context) === task.id)
      return { id: found.Id, isFresh: false, giveBack: () => {} };
    const stranger = found.Id.slice(0, 12);
    throw new DriverError(
      `the name ${task.name} is taken by container ${stranger}, which is not this node's: ${conflict.message}`,
      { cause: conflict },
    );
  } catch (error) {
    if (hasStatus(error, 404)) return undefined;
    throw error;
  }
}
