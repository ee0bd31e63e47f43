/**
 * A private Docker Engine for tests: real, quickly there, gone without a trace.
 *
 * @packageDocumentation
 */

export { engineMissing } from './engine-requirements.ts';
export {
  type ImageOptions,
  PrivateEngine,
  type PrivateEngineOptions,
  startPrivateEngine,
} from './private-engine.ts';
