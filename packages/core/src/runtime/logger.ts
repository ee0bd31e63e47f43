/** The logger that an embedding program injects, of pino's shape. Skep itself never writes to the console. */

/** Facts beside a message. Never a secret. */
export type LogFields = Readonly<Record<string, unknown>>;

/** What Skep asks of a logger; pino, bunyan and console-like wrappers fit. */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  /** A logger that adds `fields` to each line. */
  child(fields: LogFields): Logger;
}

/** The default: says nothing. */
export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLogger,
};
