/** Nodes as columns, tasks as cells. One canvas, for the mouse, the finger and the keyboard; told to screen readers. */

import { useEffect, useRef, useState } from 'preact/hooks';
import type { TaskRow } from '../../model/rows.ts';
import type { ViewStore } from '../client/view-store.ts';
import type { Ghosts } from '../ghosts.ts';
import { type GridColumn, GridColumns } from './grid-columns.ts';
import { type Palette, paint } from './grid-painter.ts';
import { cellAt, columnAt, type GridLayout, hitAt, layoutGrid } from './layout.ts';
import { PHASES } from './phase.ts';

/** What is picked in the grid. */
export type Picked = { readonly kind: 'task' | 'node'; readonly id: string };

interface Props {
  readonly store: ViewStore;
  readonly ghosts: Ghosts | undefined;
  readonly onPick: (picked: Picked) => void;
}

type Place = { readonly column: number; readonly cell: number };

export function Grid({ store, ghosts, onPick }: Props) {
  const frame = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const painter = useRef<GridView | undefined>(undefined);
  const [told, setTold] = useState('');
  useEffect(() => {
    if (frame.current === null || canvas.current === null) return;
    const view = new GridView(store, frame.current, canvas.current);
    painter.current = view;
    return () => view.end();
  }, [store]);
  useEffect(() => painter.current?.lay(ghosts), [ghosts]);
  const pick = (place: Place | undefined) => {
    const picked = painter.current?.pickedAt(place);
    if (picked !== undefined) onPick(picked);
  };
  return (
    <section class="card" aria-labelledby="tasks-title">
      <h2 id="tasks-title">Tasks by node</h2>
      <div class="grid" ref={frame}>
        {/* biome-ignore lint/a11y/noInteractiveElementToNoninteractiveRole: it takes keys of its own, which this role says */}
        <canvas
          ref={canvas}
          tabIndex={0}
          role="application"
          aria-label="Tasks by node. Arrow keys move, Enter opens."
          aria-describedby="grid-told"
          onClick={(event) => pick(painter.current?.placeAt(event))}
          onKeyDown={(event) => {
            const view = painter.current;
            if (view === undefined) return;
            if (event.key === 'Enter' || event.key === ' ') pick(view.focus);
            else if (!view.move(event.key)) return;
            event.preventDefault();
            setTold(view.inWords());
          }}
          onBlur={() => painter.current?.leave()}
        />
        <div class="spacer" />
      </div>
      <div id="grid-told" class="hidden-text" aria-live="polite">
        {told}
      </div>
      <div class="legend quiet" aria-hidden="true">
        {PHASES.map(([phase, words]) => (
          <span key={phase}>
            <i style={{ background: `var(--${phase})` }} />
            {words}
          </span>
        ))}
        {ghosts === undefined ? null : (
          <span class="ghost">
            <i style={{ background: 'var(--ghost)' }} />
            what if
          </span>
        )}
      </div>
    </section>
  );
}

/** The canvas and all that it is drawn from. Nothing is drawn but once a frame, and of it what has changed. */
class GridView {
  readonly #store: ViewStore;
  readonly #frame: HTMLElement;
  readonly #canvas: HTMLCanvasElement;
  readonly #columns = new GridColumns();
  readonly #stops: (() => void)[] = [];
  #layout: GridLayout = layoutGrid(1, 1, 100);
  #palette: Palette;
  #ghosts: Ghosts | undefined;
  #focus: Place | undefined;
  #request: number | undefined;
  #isAllDirty = true;

  constructor(store: ViewStore, frame: HTMLElement, canvas: HTMLCanvasElement) {
    this.#store = store;
    this.#frame = frame;
    this.#canvas = canvas;
    this.#palette = paletteOf(canvas);
    this.#columns.reset(store.shown);
    this.#stops.push(
      store.on((changes) => {
        if (changes === undefined) this.#columns.reset(store.shown);
        else if (changes.length > 0) this.#columns.apply(changes);
        else return;
        this.#soon();
      }),
    );
    const all = () => this.#all();
    const sizes = new ResizeObserver(all);
    sizes.observe(frame);
    const theme = matchMedia('(prefers-color-scheme: dark)');
    const restyle = () => {
      this.#palette = paletteOf(canvas);
      all();
    };
    theme.addEventListener('change', restyle);
    document.addEventListener('skep-theme', restyle);
    frame.addEventListener('scroll', all, { passive: true });
    this.#stops.push(() => {
      sizes.disconnect();
      theme.removeEventListener('change', restyle);
      document.removeEventListener('skep-theme', restyle);
      frame.removeEventListener('scroll', all);
    });
    this.#soon();
  }

  get focus(): Place | undefined {
    return this.#focus;
  }

  end(): void {
    for (const stop of this.#stops) stop();
    if (this.#request !== undefined) cancelAnimationFrame(this.#request);
  }

  lay(ghosts: Ghosts | undefined): void {
    this.#ghosts = ghosts;
    this.#all();
  }

  leave(): void {
    this.#focus = undefined;
    this.#all();
  }

  placeAt(event: MouseEvent): Place | undefined {
    const box = this.#canvas.getBoundingClientRect();
    return hitAt(this.#layout, event.clientX - box.left, event.clientY - box.top + this.#frame.scrollTop);
  }

  pickedAt(place: Place | undefined): Picked | undefined {
    const column = place && this.#columns.column(place.column);
    if (place === undefined || column === undefined) return undefined;
    const task = column.tasks[place.cell];
    if (task !== undefined) return { kind: 'task', id: task.id };
    return place.cell < 0 && column.node !== undefined ? { kind: 'node', id: column.id } : undefined;
  }

  /** Moves the focus. Gives whether that key moves it. */
  move(key: string): boolean {
    const { column, cell } = this.#focus ?? { column: 0, cell: -1 };
    const last = this.#columns.count - 1;
    const down = this.#layout.perRow;
    const moves: Readonly<Record<string, Place>> = {
      ArrowLeft: { column: column - 1, cell },
      ArrowRight: { column: column + 1, cell },
      ArrowUp: { column, cell: cell - (cell < down ? 1 : down) },
      ArrowDown: { column, cell: cell + (cell < 0 ? 1 : down) },
      Home: { column: 0, cell: -1 },
      End: { column: last, cell: -1 },
    };
    const to = moves[key];
    if (to === undefined) return false;
    const within = Math.max(0, Math.min(last, to.column));
    const cells = this.#columns.column(within)?.tasks.length ?? 0;
    this.#focus = { column: within, cell: Math.max(-1, Math.min(cells - 1, to.cell)) };
    const y = columnAt(this.#layout, within).y + Math.max(0, cellAt(this.#layout, this.#focus.cell).y);
    const { scrollTop, clientHeight } = this.#frame;
    if (y < scrollTop || y > scrollTop + clientHeight - 40) this.#frame.scrollTop = y - clientHeight / 2;
    this.#all();
    return true;
  }

  /** What has the focus, for who can't see it. */
  inWords(): string {
    const column = this.#focus && this.#columns.column(this.#focus.column);
    if (this.#focus === undefined || column === undefined) return '';
    const task = column.tasks[this.#focus.cell];
    return task === undefined ? columnInWords(column) : `${this.#nameOf(task)} is ${task.state}`;
  }

  #nameOf({ service, slot }: TaskRow): string {
    const name = this.#store.shown.services.get(service)?.name ?? service;
    return slot === 0 ? name : `${name}.${slot}`;
  }

  #all(): void {
    this.#isAllDirty = true;
    this.#soon();
  }

  #soon(): void {
    this.#request ??= requestAnimationFrame(() => {
      this.#request = undefined;
      this.#draw();
    });
  }

  #draw(): void {
    const begun = performance.now();
    const context = this.#canvas.getContext('2d');
    if (context === null) return;
    const changed = this.#columns.takeDirty();
    const dirty = this.#isAllDirty ? 'all' : changed;
    this.#isAllDirty = false;
    if (dirty === 'all') this.#measure(context);
    paint(
      context,
      {
        ...{ columns: this.#columns, layout: this.#layout, palette: this.#palette, ghosts: this.#ghosts },
        serviceName: (id) => this.#store.shown.services.get(id)?.name ?? id,
        ...{ top: this.#frame.scrollTop, height: this.#canvas.clientHeight, focus: this.#focus },
      },
      dirty,
    );
    performance.measure('skep-paint', { start: begun });
  }

  #measure(context: CanvasRenderingContext2D): void {
    const ghostly = [...(this.#ghosts?.coming.values() ?? [])].reduce(
      (most, { length }) => Math.max(most, length),
      0,
    );
    const width = this.#frame.clientWidth;
    this.#layout = layoutGrid(this.#columns.count, this.#columns.most + ghostly, width);
    const sight = Math.min(this.#layout.height, Math.max(160, Math.round(innerHeight * 0.62)));
    const scale = devicePixelRatio;
    const spacer = this.#frame.lastElementChild;
    if (spacer instanceof HTMLElement) spacer.style.height = `${this.#layout.height}px`;
    if (this.#canvas.width !== width * scale || this.#canvas.height !== sight * scale) {
      this.#canvas.width = width * scale;
      this.#canvas.height = sight * scale;
      this.#canvas.style.width = `${width}px`;
      this.#canvas.style.height = `${sight}px`;
    }
    context.setTransform(scale, 0, 0, scale, 0, 0);
  }
}

function columnInWords({ node, tasks }: GridColumn): string {
  const name =
    node === undefined ? 'Tasks without a node' : `Node ${node.name}, ${node.state}, ${node.availability}`;
  return `${name}, ${tasks.length} task${tasks.length === 1 ? '' : 's'}`;
}

function paletteOf(element: Element): Palette {
  // Computed colours of an element, since the variables hold one for each theme.
  const probe = document.createElement('span');
  element.parentElement?.append(probe);
  const colour = (name: string) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const names = [
    'waiting',
    'starting',
    'running',
    'ended',
    'failed',
    'text',
    'card',
    'line',
    'quiet',
  ] as const;
  const entries = [...names, 'accent', 'ghost'].map((name) => [name, colour(name)]);
  probe.remove();
  return Object.fromEntries(entries) as Palette;
}
