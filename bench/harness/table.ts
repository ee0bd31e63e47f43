/** Tables: of text for people who read a terminal, and in Markdown for the README. */

/** Rows under headings; the first column is text, the others are figures and stand to the right. */
export interface Table {
  readonly headings: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** A table for a terminal. */
export function textTable({ headings, rows }: Table): string {
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd();
  return [headings, ...rows].map(line).join('\n');
}

/** The same in Markdown, laid out as formatters leave it. */
export function markdownTable({ headings, rows }: Table): string {
  const widths = headings.map((heading, column) =>
    Math.max(3, heading.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const rule = widths.map((width, column) =>
    column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  );
  const line = (cells: readonly string[]) => {
    const padded = cells.map((cell, column) => {
      const width = widths[column] ?? 0;
      return column === 0 ? cell.padEnd(width) : cell.padStart(width);
    });
    return `| ${padded.join(' | ')} |`;
  };
  return [headings, rule, ...rows].map(line).join('\n');
}

/** A whole number as people write it: `1,234,567`. */
export function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** Millions with one digit: `1.2 M`. */
export function millions(value: number): string {
  return `${(value / 1e6).toFixed(1)} M`;
}

/** Milliseconds, with a digit more where they are few. */
export function milliseconds(value: number): string {
  return value.toFixed(value < 10 ? 1 : 0);
}
