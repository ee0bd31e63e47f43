/** The buttons of the playground: what users of a real cluster would rather not do. */

import { useEffect, useState } from 'preact/hooks';
import type { Playground, PlaygroundProcess } from './playground.ts';

const SPEEDS = [
  [0, 'stopped'],
  [0.1, '0.1×'],
  [1, '1×'],
  [10, '10×'],
  [60, '60×'],
] as const;

/** Between two pictures at least, in ms. */
const REDRAW_MS = 200;

export function Controls({ playground }: { readonly playground: Playground }) {
  const [, setTurn] = useState(0);
  const [fault, setFault] = useState<string>();
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = playground.on(() => {
      timer ??= setTimeout(() => {
        timer = undefined;
        setTurn((turn) => turn + 1);
      }, REDRAW_MS);
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [playground]);
  const attempt = (work: () => void | Promise<void>) => {
    setFault(undefined);
    Promise.resolve()
      .then(work)
      .catch((error: unknown) => setFault(error instanceof Error ? error.message : String(error)));
  };
  const { processes } = playground;
  return (
    <section class="playground" aria-label="Playground">
      <div class="row">
        <strong>Playground</strong>
        <span class="quiet">
          a whole cluster in this tab, {(playground.elapsedMs / 1_000).toFixed(1)} virtual seconds old
        </span>
        <label>
          Time{' '}
          <select
            value={String(playground.speed)}
            onChange={(event) => {
              playground.speed = Number(event.currentTarget.value);
            }}
          >
            {SPEEDS.map(([speed, words]) => (
              <option key={speed} value={String(speed)}>
                {words}
              </option>
            ))}
          </select>
        </label>
        <button
          type="button"
          onClick={() => playground.heal()}
          disabled={!processes.some(({ isCut }) => isCut)}
        >
          Heal the network
        </button>
        <Deploy onDeploy={(...given) => attempt(() => playground.deploy(...given))} />
      </div>
      <div class="row">
        {processes.map((process) => (
          <Process key={process.name} process={process} playground={playground} attempt={attempt} />
        ))}
      </div>
      {fault === undefined ? null : (
        <div class="bad" role="alert">
          {fault}
        </div>
      )}
      <details>
        <summary>What happens</summary>
        <pre class="logs">{playground.trace.join('\n')}</pre>
      </details>
    </section>
  );
}

interface ProcessProps {
  readonly process: PlaygroundProcess;
  readonly playground: Playground;
  readonly attempt: (work: () => void | Promise<void>) => void;
}

function Process({ process, playground, attempt }: ProcessProps) {
  const { name, isUp, isCut, leads } = process;
  return (
    <span class={`process${isUp ? '' : ' down'}${isCut ? ' cut' : ''}`} data-process={name}>
      {leads ? '★ ' : ''}
      {name}
      {isUp ? (
        <button
          type="button"
          aria-label={`Kill ${name}`}
          onClick={() => attempt(() => playground.kill(name))}
        >
          Kill
        </button>
      ) : (
        <button
          type="button"
          aria-label={`Start ${name}`}
          onClick={() => attempt(() => playground.start(name))}
        >
          Start
        </button>
      )}
      {isCut ? null : (
        <button
          type="button"
          aria-label={`Cut ${name} off`}
          onClick={() => attempt(() => playground.cutOff(name))}
        >
          Cut off
        </button>
      )}
    </span>
  );
}

function Deploy({
  onDeploy,
}: {
  readonly onDeploy: (name: string, image: string, replicas: number) => void;
}) {
  const [name, setName] = useState('shop');
  const [image, setImage] = useState('web');
  const [replicas, setReplicas] = useState(6);
  return (
    <form
      class="what-if"
      onSubmit={(event) => {
        event.preventDefault();
        onDeploy(name, image, replicas);
      }}
    >
      <input
        aria-label="Name of the service"
        value={name}
        onInput={(event) => setName(event.currentTarget.value)}
      />
      <select aria-label="Image" value={image} onChange={(event) => setImage(event.currentTarget.value)}>
        <option>web</option>
        <option>worker</option>
        <option>flaky</option>
      </select>
      <input
        aria-label="Replicas"
        type="number"
        min={0}
        value={replicas}
        onInput={(event) => setReplicas(Math.max(0, Math.round(Number(event.currentTarget.value))))}
      />
      <button type="submit">Deploy</button>
    </form>
  );
}
