/**
 * What core and drivers need of Node: sockets for health probes, files in memory, directories of this user alone.
 *
 * @packageDocumentation
 */

export {
  type FilesOwner,
  MEMORY_DIR,
  type MemoryFile,
  memoryFilesDir,
  type OwnFiles,
  removeMemoryFiles,
  tasksWithMemoryFiles,
  writeMemoryFiles,
} from './memory-files.ts';
export { makePrivateDir } from './private-dir.ts';
export { nodeProbeNetwork } from './probe-network.ts';
