/** What is known of images without asking twice: whether one brings a health check of its own. */

import type { Engine } from './engine.ts';

interface EngineImage {
  readonly Config?: { readonly Healthcheck?: { readonly Test?: readonly string[] } } | null;
}

/** Facts of images by reference, forgotten whenever an image of the engine changes. */
export class ImageFacts {
  readonly #engine: Engine;
  readonly #checks = new Map<string, Promise<boolean>>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Whether the image has a health check. @throws EngineError when it can't be looked at. */
  hasHealthCheck(reference: string): Promise<boolean> {
    const known = this.#checks.get(reference);
    if (known) return known;
    const asked = this.#ask(reference);
    this.#checks.set(reference, asked);
    asked.catch(() => {
      if (this.#checks.get(reference) === asked) this.#checks.delete(reference);
    });
    return asked;
  }

  /** Some image has changed. */
  forget(): void {
    this.#checks.clear();
  }

  async #ask(reference: string): Promise<boolean> {
    const { Config } = await this.#engine.get<EngineImage>(
      { what: `image ${reference}` },
      `/images/${encodeURIComponent(reference)}/json`,
    );
    const test = Config?.Healthcheck?.Test;
    return test !== undefined && test.length > 0 && test[0] !== 'NONE';
  }
}
