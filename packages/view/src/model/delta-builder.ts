/** Collects changes of a cluster until they are sent: of an object that changed often, the last row alone. */

import type { ServiceId, WatchEvent } from '@skep/core';
import { networkRow, nodeRow, taskRow } from './project.ts';
import type { NetworkRow, NodeRow, ServiceRow, TableDelta, TaskRow, ViewDelta } from './rows.ts';

/** A change as a watch tells it. */
export type WatchedChange = Extract<WatchEvent, { readonly type: 'created' | 'updated' | 'removed' }>;

/** What is about to be told. */
export class DeltaBuilder {
  readonly #nodes = new Collected<NodeRow>();
  readonly #tasks = new Collected<TaskRow>();
  readonly #networks = new Collected<NetworkRow>();
  readonly #goneServices = new Set<string>();
  /** Services whose row may be another. */
  readonly #touched = new Set<ServiceId>();
  #at = 0;

  /** Takes a change in. */
  add(change: WatchedChange): void {
    this.#at = change.at;
    const isGone = change.type === 'removed';
    switch (change.kind) {
      case 'node':
        this.#nodes.take(change.object.id, isGone ? undefined : nodeRow(change.object));
        return;
      case 'task':
        this.#tasks.take(change.object.id, isGone ? undefined : taskRow(change.object));
        this.#touched.add(change.object.serviceId);
        return;
      case 'network':
        this.#networks.take(change.object.id, isGone ? undefined : networkRow(change.object));
        return;
      case 'service':
        if (isGone) this.#goneServices.add(change.object.id);
        else this.#touched.add(change.object.id);
    }
  }

  /** A service's row may be another. */
  touch(service: ServiceId): void {
    this.#touched.add(service);
  }

  /** Services whose row has to be made anew, each once. */
  takeTouched(): ServiceId[] {
    const touched = [...this.#touched];
    this.#touched.clear();
    return touched;
  }

  /** Services are touched, and nobody has asked for them yet. */
  get isTouched(): boolean {
    return this.#touched.size > 0;
  }

  /** All that was collected, and begins anew. */
  take(index: number, services: readonly ServiceRow[]): ViewDelta {
    const gone = [...this.#goneServices];
    this.#goneServices.clear();
    return {
      ...{ index, at: this.#at },
      ...part('nodes', this.#nodes.drain()),
      ...part('tasks', this.#tasks.drain()),
      ...part('networks', this.#networks.drain()),
      ...part('services', { put: services, gone }),
    };
  }
}

function part<Name extends string, Row>(name: Name, delta: Required<TableDelta<Row>>) {
  const { put, gone } = delta;
  if (put.length === 0 && gone.length === 0) return {};
  return { [name]: { ...(put.length > 0 && { put }), ...(gone.length > 0 && { gone }) } };
}

/** The newest row of each id. */
class Collected<Row> {
  readonly #rows = new Map<string, Row | undefined>();

  take(id: string, row: Row | undefined): void {
    this.#rows.set(id, row);
  }

  drain(): Required<TableDelta<Row>> {
    const put: Row[] = [];
    const gone: string[] = [];
    for (const [id, row] of this.#rows) {
      if (row === undefined) gone.push(id);
      else put.push(row);
    }
    this.#rows.clear();
    return { put, gone };
  }
}
