/** The time machine: a slider over the log, steps, and the transaction that one stands at. */

import { useEffect, useRef, useState } from 'preact/hooks';
import type { MomentRange, ViewTransaction, ViewTransactionDetail } from '../source/view-source.ts';
import type { ViewStore } from './client/view-store.ts';
import { dateTime } from './in-words.ts';
import { momentInAddress, putMoment } from './place.ts';
import { errorInWords, useAnswer } from './use-answer.ts';
import { useStore } from './use-store.ts';

interface Props {
  readonly store: ViewStore;
  /** What went wrong, to be told at the top. */
  readonly onFault: (message: string | undefined) => void;
}

export function TimeBar({ store, onFault }: Props) {
  useStore(store);
  const [range, setRange] = useState<MomentRange>();
  const [at, setAt] = useState(momentInAddress());
  const asking = useRef<AbortController>(undefined);
  const { newest } = store;

  const go = (index: number | undefined) => {
    setAt(index);
    putMoment(index);
    asking.current?.abort();
    onFault(undefined);
    if (index === undefined) {
      store.showPresent();
      return;
    }
    const asked = new AbortController();
    asking.current = asked;
    const begun = performance.now();
    store.source.at(index, asked.signal).then(
      (snapshot) => {
        if (asked.signal.aborted) return;
        store.showPast(snapshot);
        requestAnimationFrame(() => performance.measure('skep-jump', { start: begun }));
      },
      (error: unknown) => {
        if (asked.signal.aborted) return;
        // What can't be shown must not be taken for what is.
        setAt(undefined);
        putMoment(undefined);
        store.showPresent();
        onFault(`Event ${index} can not be shown: ${errorInWords(error)}`);
      },
    );
  };

  useEffect(() => {
    const asked = new AbortController();
    store.source.range(asked.signal).then(setRange, () => {});
    if (at !== undefined) go(at);
    const onHash = () => go(momentInAddress());
    addEventListener('hashchange', onHash);
    return () => {
      asked.abort();
      removeEventListener('hashchange', onHash);
    };
  }, [store]);

  if (store.status?.history === false) return null;
  const first = Math.min(range?.first ?? 1, newest);
  const shown = at ?? newest;
  const step = (by: number) => go(Math.max(first, Math.min(newest, shown + by)));
  return (
    <>
      <fieldset class="time" aria-label="Time machine">
        <button type="button" onClick={() => step(-1)} disabled={shown <= first} aria-label="One event back">
          ◀
        </button>
        <button type="button" onClick={() => step(1)} disabled={shown >= newest} aria-label="One event on">
          ▶
        </button>
        <input
          type="range"
          aria-label="Event of the log"
          aria-valuetext={at === undefined ? 'now' : `event ${at}`}
          min={first}
          max={newest}
          value={shown}
          onInput={(event) => go(Number(event.currentTarget.value))}
        />
        <span>
          event {shown} of {newest}
        </span>
        <button type="button" disabled={at === undefined} onClick={() => go(undefined)}>
          Now
        </button>
      </fieldset>
      {at === undefined ? null : <Story store={store} index={at} onGo={go} />}
    </>
  );
}

interface StoryProps {
  readonly store: ViewStore;
  readonly index: number;
  readonly onGo: (index: number) => void;
}

function Story({ store, index, onGo }: StoryProps) {
  const asked = useAnswer(String(index), (signal) => store.source.event(index, signal));
  const detail: ViewTransactionDetail = asked.kind === 'answer' ? asked.value : { caused: [] };
  const { transaction, caused } = detail;
  return (
    <div class="story" aria-live="polite">
      {transaction === undefined ? (
        <span class="quiet">{asked.kind === 'failed' ? asked.message : `event ${index}`}</span>
      ) : (
        <>
          <strong>{transaction.actor}</strong> at {dateTime(transaction.at)}
          {transaction.cause === undefined ? null : (
            <>
              {', because of '}
              <button type="button" class="link" onClick={() => onGo(transaction.cause ?? index)}>
                event {transaction.cause}
              </button>
            </>
          )}
          <ChangeList transaction={transaction} />
        </>
      )}
      {caused.length === 0 ? null : (
        <div>
          <span class="quiet">led to </span>
          {caused.slice(0, 12).map((each) => (
            <span key={each.index}>
              <button type="button" class="link" onClick={() => onGo(each.index)}>
                event {each.index}
              </button>{' '}
              <span class="quiet">
                {each.actor}: {each.changes[0]?.text}
              </span>{' '}
            </span>
          ))}
        </div>
      )}
    </div>
  );
}

export function ChangeList({ transaction }: { readonly transaction: ViewTransaction }) {
  const { changes, count } = transaction;
  return (
    <ul class="steps">
      {changes.map(({ id, text }, at) => (
        <li key={`${id} ${at}`}>{text}</li>
      ))}
      {count > changes.length ? <li class="quiet">{count - changes.length} more changes</li> : null}
    </ul>
  );
}
