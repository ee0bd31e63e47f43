/**
 * Metrics as plain data. Whoever exports them decides how: as Prometheus text, or by a callback of an observable
 * instrument of OpenTelemetry, which takes the same name, help, value and labels.
 */

/** One series. */
export interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

/** One metric, with all of its series. */
export interface MetricFamily {
  /** With its unit, a base unit of the field, at the end: `_seconds`, `_bytes`; counters end in `_total`. */
  readonly name: string;
  readonly help: string;
  readonly kind: 'counter' | 'gauge';
  readonly samples: readonly Sample[];
}
