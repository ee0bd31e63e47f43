/** Services, managers, nodes and networks, as tables. */

import { useState } from 'preact/hooks';
import type { ServiceRow } from '../model/rows.ts';
import type { ViewStore } from './client/view-store.ts';
import type { Picked } from './grid/grid.tsx';
import { useStore } from './use-store.ts';

/** Most rows of a table that are drawn at once. */
const ROWS_MAX = 200;
/** Rows from which on a table can be searched. */
const FILTER_FROM = 12;

interface Props {
  readonly store: ViewStore;
}

interface PickingProps extends Props {
  readonly onPick: (picked: Picked | { readonly kind: 'service'; readonly id: string }) => void;
}

export function Services({ store, onPick }: PickingProps) {
  useStore(store);
  const [filter, setFilter] = useState('');
  const services = byName(store.shown.services.values(), filter);
  return (
    <section class="card" aria-labelledby="services-title">
      <h2 id="services-title">Services</h2>
      <Filter count={store.shown.services.size} what="services" onFilter={setFilter} />
      <div class="scroll">
        <table>
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Running</th>
              <th scope="col">Image</th>
              <th scope="col">Ports</th>
              <th scope="col">How it is</th>
            </tr>
          </thead>
          <tbody>
            {services.slice(0, ROWS_MAX).map((service) => (
              <tr key={service.id}>
                <td>
                  <button
                    type="button"
                    class="link"
                    onClick={() => onPick({ kind: 'service', id: service.id })}
                  >
                    {service.name}
                  </button>
                </td>
                <td class={service.converged ? 'good' : 'bad'}>
                  {service.running}/{service.desired}
                </td>
                <td>{service.image}</td>
                <td>{portsInWords(service)}</td>
                <td>{howItIs(service)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <More count={services.length} />
    </section>
  );
}

function portsInWords({ ports }: ServiceRow): string {
  return ports
    .map(({ published, target, protocol }) => `*:${published ?? ''}→${target}/${protocol}`)
    .join(', ');
}

function howItIs({ update, converged, reasons }: ServiceRow): string {
  const state =
    update === undefined || update.state === 'completed' ? [] : [`${update.state}: ${update.message}`];
  const told = [...state, ...reasons].join('; ');
  return told === '' ? (converged ? 'as asked for' : 'on its way') : told;
}

export function Managers({ store }: Props) {
  useStore(store);
  const managers = byName(store.status?.managers ?? []);
  return (
    <section class="card" aria-labelledby="managers-title">
      <h2 id="managers-title">Managers</h2>
      <table>
        <tbody>
          {managers.map(({ id, name, leads, reachable }) => (
            <tr key={id}>
              <th scope="row">{name}</th>
              <td class={leads ? 'good' : reachable === false ? 'bad' : ''}>
                {leads ? '★ leader' : reachable === false ? 'not reachable' : 'follows'}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

export function Nodes({ store, onPick }: PickingProps) {
  useStore(store);
  const counts = new Map<string, number>();
  for (const { node, state } of store.shown.tasks.values()) {
    if (node !== undefined && state === 'running') counts.set(node, (counts.get(node) ?? 0) + 1);
  }
  const [filter, setFilter] = useState('');
  const nodes = byName(store.shown.nodes.values(), filter);
  return (
    <section class="card" aria-labelledby="nodes-title">
      <h2 id="nodes-title">Nodes</h2>
      <Filter count={store.shown.nodes.size} what="nodes" onFilter={setFilter} />
      <div class="scroll">
        <table>
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">State</th>
              <th scope="col">Tasks that run</th>
            </tr>
          </thead>
          <tbody>
            {nodes.slice(0, ROWS_MAX).map(({ id, name, state, availability }) => (
              <tr key={id}>
                <td>
                  <button type="button" class="link" onClick={() => onPick({ kind: 'node', id })}>
                    {name}
                  </button>
                </td>
                <td class={state === 'ready' ? '' : 'bad'}>
                  {availability === 'active' ? state : `${state}, ${availability}`}
                </td>
                <td>{state === 'down' ? 'not heard of' : (counts.get(id) ?? 0)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <More count={nodes.length} />
    </section>
  );
}

export function Networks({ store }: Props) {
  useStore(store);
  const networks = byName(store.shown.networks.values());
  const services = [...store.shown.services.values()];
  if (networks.length === 0) return null;
  return (
    <section class="card" aria-labelledby="networks-title">
      <h2 id="networks-title">Networks</h2>
      <table>
        <tbody>
          {networks.slice(0, ROWS_MAX).map(({ id, name }) => (
            <tr key={id}>
              <th scope="row">{name}</th>
              <td>
                {services
                  .filter((service) => service.networks.includes(name))
                  .map((service) => service.name)
                  .join(', ') || 'no service'}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function More({ count }: { readonly count: number }) {
  return count <= ROWS_MAX ? null : <p class="quiet">{count - ROWS_MAX} more</p>;
}

interface FilterProps {
  readonly count: number;
  readonly what: string;
  readonly onFilter: (text: string) => void;
}

/** For tables that are too long to look through. */
function Filter({ count, what, onFilter }: FilterProps) {
  if (count <= FILTER_FROM) return null;
  return (
    <input
      type="search"
      placeholder={`Find ${what}`}
      aria-label={`Find ${what} by name`}
      onInput={(event) => onFilter(event.currentTarget.value.trim().toLowerCase())}
    />
  );
}

/** In the order of their names, numbers in names by their size. */
function byName<Row extends { readonly name: string }>(rows: Iterable<Row>, filter = ''): Row[] {
  const found = [...rows].filter(({ name }) => filter === '' || name.toLowerCase().includes(filter));
  return found.sort((a, b) => NAMES.compare(a.name, b.name));
}

const NAMES = new Intl.Collator('en', { numeric: true });
