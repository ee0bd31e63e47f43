/** Bars as SVG, written by hand: figures that differ by powers of ten need no more than a logarithmic axis. */

/** One bar. */
export interface Bar {
  readonly label: string;
  readonly value: number;
  /** What the bar belongs to; bars of one series share a colour. */
  readonly series: string;
}

/** A chart of horizontal bars on a logarithmic axis. */
export interface BarChart {
  readonly title: string;
  /** Under the title: what is measured, and how. */
  readonly subtitle: string;
  readonly unit: string;
  readonly bars: readonly Bar[];
  /** A value to reach, drawn as a line. */
  readonly goal?: { readonly value: number; readonly label: string };
}

const WIDTH = 920;
const LEFT = 330;
const RIGHT = 90;
const TOP = 84;
const ROW = 22;
const COLOURS = ['#2f6f4f', '#c9a227', '#3b6ea5', '#a23b3b', '#7a7a7a'];

/** The chart as the text of an SVG file. */
export function barChart({ title, subtitle, unit, bars, goal }: BarChart): string {
  const values = bars.map(({ value }) => value);
  const low = 10 ** Math.floor(Math.log10(Math.min(...values)));
  const high = 10 ** Math.ceil(Math.log10(Math.max(...values)));
  const x = (value: number) =>
    LEFT + ((WIDTH - LEFT - RIGHT) * Math.log10(value / low)) / Math.log10(high / low);
  const bottom = TOP + ROW * bars.length;
  const series = [...new Set(bars.map((bar) => bar.series))];
  const colour = (name: string) => COLOURS[series.indexOf(name) % COLOURS.length] ?? '#7a7a7a';
  const parts: string[] = [];
  for (let tick = low; tick <= high; tick *= 10) {
    parts.push(
      `<line x1="${px(x(tick))}" y1="${TOP - 4}" x2="${px(x(tick))}" y2="${bottom}" stroke="#ddd"/>`,
    );
    parts.push(text(x(tick), bottom + 16, tick.toLocaleString('en-US'), 'middle', '#555'));
  }
  bars.forEach(({ label, value, series: name }, row) => {
    const y = TOP + ROW * row;
    parts.push(text(LEFT - 8, y + 14, label, 'end', '#222'));
    const width = px(Math.max(1, x(value) - LEFT));
    parts.push(
      `<rect x="${LEFT}" y="${y + 3}" width="${width}" height="${ROW - 7}" fill="${colour(name)}"/>`,
    );
    parts.push(text(x(value) + 6, y + 14, Math.round(value).toLocaleString('en-US'), 'start', '#222'));
  });
  if (goal) {
    const at = px(x(goal.value));
    parts.push(
      `<line x1="${at}" y1="${TOP - 4}" x2="${at}" y2="${bottom}" stroke="#a23b3b" stroke-dasharray="4 3"/>`,
    );
    parts.push(text(x(goal.value), TOP - 9, goal.label, 'middle', '#a23b3b'));
  }
  let legend = LEFT;
  for (const name of series) {
    parts.push(`<rect x="${legend}" y="${bottom + 30}" width="12" height="12" fill="${colour(name)}"/>`);
    parts.push(text(legend + 17, bottom + 40, name, 'start', '#222'));
    legend += 34 + 7 * name.length;
  }
  const height = bottom + 56;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}"`,
    ' font-family="system-ui, sans-serif" font-size="12" role="img">',
    `<title>${escapeText(title)}</title>`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    `<text x="16" y="26" font-size="16" font-weight="600" fill="#111">${escapeText(title)}</text>`,
    text(16, 46, subtitle, 'start', '#555'),
    text(WIDTH - 16, bottom + 16, unit, 'end', '#555'),
    ...parts,
    '</svg>\n',
  ].join('\n');
}

function text(x: number, y: number, content: string, anchor: string, fill: string): string {
  return `<text x="${px(x)}" y="${y}" text-anchor="${anchor}" fill="${fill}">${escapeText(content)}</text>`;
}

function px(value: number): string {
  return value.toFixed(1);
}

function escapeText(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
