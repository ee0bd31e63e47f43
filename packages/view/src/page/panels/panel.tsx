/** A panel at the side, or from below on a phone. Escape closes it. */

import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

interface Props {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}

export function Panel({ title, onClose, children }: Props) {
  const close = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    close.current?.focus();
    const onKey = (event: KeyboardEvent) => {
      if (event.key === 'Escape') onClose();
    };
    document.addEventListener('keydown', onKey);
    return () => {
      document.removeEventListener('keydown', onKey);
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <aside class="panel" aria-label={title}>
      <header>
        <h1>{title}</h1>
        <button type="button" ref={close} onClick={onClose} aria-label="Close">
          ✕
        </button>
      </header>
      {children}
    </aside>
  );
}
