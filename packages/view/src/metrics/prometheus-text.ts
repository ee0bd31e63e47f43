/** Metrics in Prometheus' text format, version 0.0.4. */

import type { MetricFamily, Sample } from './metric-family.ts';

/** Its content type. */
export const PROMETHEUS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** @see https://prometheus.io/docs/instrumenting/exposition_formats/ */
export function prometheusText(families: readonly MetricFamily[]): string {
  return families
    .map(({ name, help, kind, samples }) => {
      const head = `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n# TYPE ${name} ${kind}\n`;
      return head + samples.map((sample) => `${name}${labelsOf(sample)} ${numberText(sample)}\n`).join('');
    })
    .join('');
}

function labelsOf({ labels = {} }: Sample): string {
  const all = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return all.length === 0 ? '' : `{${all.join(',')}}`;
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function numberText({ value }: Sample): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value);
}
