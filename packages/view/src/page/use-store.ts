/** A component that shows what the store has: drawn again a few times a second at most, however much changes. */

import { useEffect, useState } from 'preact/hooks';
import type { ViewStore } from './client/view-store.ts';

const REDRAW_MS = 200;

/** Draws the component again when what is shown may be another. */
export function useStore(store: ViewStore): void {
  const [, setTurn] = useState(0);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let drawnAt = 0;
    const draw = () => {
      timer = undefined;
      drawnAt = performance.now();
      setTurn((turn) => turn + 1);
    };
    const stop = store.on(() => {
      timer ??= setTimeout(draw, Math.max(0, drawnAt + REDRAW_MS - performance.now()));
    });
    draw();
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [store]);
}
