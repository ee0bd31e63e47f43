/** What the owner of a driver gives for pulls, and hears of them. */

/** What a registry wants to know. */
export type RegistryAuth =
  | { readonly username: string; readonly password: string }
  /** A token that was had from the registry's authorization service. */
  | { readonly identityToken: string }
  | { readonly registryToken: string };

/** Gives credentials for a pull, or undefined where none are needed. Called anew for each pull. */
export type RegistryAuthProvider = (
  image: {
    /** The image as the spec names it. */
    readonly reference: string;
    /** Host of the registry: `docker.io`, `registry.example.com:5000`. */
    readonly registry: string;
  },
  options: { readonly signal: AbortSignal },
) => Promise<RegistryAuth | undefined> | RegistryAuth | undefined;

/** How a pull goes on. */
export interface PullProgress {
  readonly reference: string;
  /** The engine's words: `Downloading`, `Pull complete`. */
  readonly status: string;
  /** The layer, where it is about one. */
  readonly layer?: string;
  /** Bytes of the layer so far. */
  readonly bytes?: number;
  readonly bytesTotal?: number;
}
