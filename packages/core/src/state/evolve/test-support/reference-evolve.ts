/**
 * What events mean, said a second time for the tests: plain objects, changed by Immer, with no index, no sharing and
 * no thought of speed. The real evolution must come to the same rows.
 */

import { castDraft, type Draft, produce } from 'immer';
import type { ClusterEvent, Transaction } from '../../../events/event.ts';
import type {
  ClusterObject,
  Config,
  JobStatus,
  Network,
  Node,
  Secret,
  Service,
  Task,
  UpdateStatus,
} from '../../../model/objects.ts';
import { isTerminal } from '../../../model/task-state.ts';
import { applyToFiles } from './reference-files.ts';
import { must, type Touch, touched } from './reference-rows.ts';
import { beginRun, endRun, noteReplicas } from './reference-service.ts';

/** A cluster's state as plain objects by id. Ids must not look like whole numbers, which JavaScript would sort. */
export interface PlainState {
  readonly cluster: ClusterObject | undefined;
  readonly nodes: Readonly<Record<string, Node>>;
  readonly services: Readonly<Record<string, Service>>;
  readonly tasks: Readonly<Record<string, Task>>;
  readonly networks: Readonly<Record<string, Network>>;
  readonly secrets: Readonly<Record<string, Secret>>;
  readonly configs: Readonly<Record<string, Config>>;
  readonly vault: Readonly<Record<string, Uint8Array>>;
}

/** Before the first transaction. */
export const NOTHING_YET: PlainState = {
  cluster: undefined,
  nodes: {},
  services: {},
  tasks: {},
  networks: {},
  secrets: {},
  configs: {},
  vault: {},
};

/** The next state. */
export function referenceEvolve(state: PlainState, { index, at, events }: Transaction): PlainState {
  return produce(state, (draft) => {
    for (const event of events) apply(draft, event, { version: index, updatedAt: at });
  });
}

function apply(state: Draft<PlainState>, event: ClusterEvent, touch: Touch): void {
  const { version, updatedAt: at } = touch;
  const meta = { ...touch, createdAt: at };
  const task = (id: string) => touched(state.tasks, id, touch);
  const service = (id: string) => touched(state.services, id, touch);
  const node = (id: string) => touched(state.nodes, id, touch);
  switch (event.type) {
    case 'cluster.created':
      state.cluster = castDraft({ id: event.id, spec: event.spec, ...meta });
      return;
    case 'cluster.updated':
      Object.assign(must(state.cluster), touch, { spec: event.spec });
      return;
    case 'cluster.rebalancing':
      Object.assign(must(state.cluster), touch, { rebalance: event.rebalance });
      return;
    case 'cluster.rebalanced': {
      const { type: _, ...outcome } = event;
      Object.assign(must(state.cluster), touch, { lastRebalance: { ...outcome, at } });
      delete must(state.cluster).rebalance;
      return;
    }
    case 'node.joined': {
      const { id, spec, description, address } = event;
      const status = { state: 'unknown' as const, message: 'joined', since: at, address };
      state.nodes[id] = castDraft({ id, spec, description, status, ...meta });
      return;
    }
    case 'node.updated':
      node(event.id).spec = castDraft(event.spec);
      return;
    case 'node.described':
      node(event.id).description = castDraft(event.description);
      node(event.id).status.address = event.address;
      return;
    case 'node.status':
      for (const id of event.ids) {
        const { status } = node(id);
        if (status.state !== event.state) status.since = at;
        status.state = event.state;
        status.message = event.message;
      }
      return;
    case 'node.attached':
      for (const { nodeId, attachments } of event.rows) {
        delete node(nodeId).attachments;
        if (attachments.length > 0) node(nodeId).attachments = castDraft(attachments);
      }
      return;
    case 'node.removed':
      delete state.nodes[event.id];
      return;
    case 'service.created':
      state.services[event.id] = castDraft({ id: event.id, spec: event.spec, specVersion: version, ...meta });
      if (!event.spec.mode.endsWith('-job')) return;
      must(state.services[event.id]).jobStatus = { iteration: 0, active: [], ended: [] };
      if (event.spec.schedule === undefined) beginRun(runsOf(state, event.id), at);
      else runsOf(state, event.id).decidedUntil = at;
      return;
    case 'service.updated': {
      const row = service(event.id);
      if (row.jobStatus && JSON.stringify(row.spec.schedule) !== JSON.stringify(event.spec.schedule)) {
        delete row.jobStatus.decidedUntil;
        if (event.spec.schedule !== undefined) row.jobStatus.decidedUntil = at;
      }
      if (row.jobStatus && event.beginsRun) beginRun(runsOf(state, event.id), at);
      const status = row.updateStatus;
      const { state: updating } = status ?? {};
      const isPaused = updating === 'paused' || updating === 'rollback_paused';
      const isOver = updating === undefined || updating === 'completed' || updating === 'rollback_completed';
      const isBack = updating?.startsWith('rollback');
      if (isOver || (event.tasksChanged && (isBack || row.previousSpec === undefined)))
        Object.assign(row, { previousSpec: row.spec, previousSpecVersion: row.specVersion });
      if (event.tasksChanged || isPaused) delete row.updateStatus;
      if (event.tasksChanged && !isOver && status && isHidden(status, row.specVersion)) {
        const from = must(status.holdsBack);
        const fresh = { state: 'updating' as const, startedAt: at, message: 'update in progress' };
        row.updateStatus = { ...fresh, slots: 0, failures: 0, uncounted: true, holdsBack: from };
        if (!event.spec.update.blueGreen) row.updateStatus.heldUntil = version;
      }
      if (event.tasksChanged) row.specVersion = version;
      noteReplicas(row, event.spec, at);
      row.spec = castDraft(event.spec);
      if (event.portsChanged) {
        delete row.endpoint;
        delete row.allocationError;
        delete row.allocationErrorAbout;
      }
      return;
    }
    case 'service.update-status':
      service(event.id).updateStatus = event.status;
      return;
    case 'service.rolled-back': {
      const row = service(event.id);
      const cutShort = ['updating', 'waiting', 'paused'].includes(row.updateStatus?.state ?? '');
      if (cutShort) {
        delete row.previousSpec;
        delete row.previousSpecVersion;
      } else Object.assign(row, { previousSpec: row.spec, previousSpecVersion: row.specVersion });
      row.specVersion = version;
      row.updateStatus = { ...event.status };
      if (event.status.holdsBack !== undefined) row.updateStatus.heldUntil = version;
      noteReplicas(row, event.spec, at);
      row.spec = castDraft(event.spec);
      if (event.portsChanged) {
        delete row.endpoint;
        delete row.allocationError;
        delete row.allocationErrorAbout;
      }
      return;
    }
    case 'service.removed':
      for (const row of Object.values(state.tasks)) {
        if (event.tasksFollow || row.serviceId !== event.id || row.desiredState === 'remove') continue;
        const removed = task(row.id);
        if (removed.status.state === 'running' && removed.desiredState === 'running')
          removed.leaving = { index: version, since: at };
        removed.desiredState = 'remove';
      }
      delete state.services[event.id];
      return;
    case 'service.allocated':
      service(event.id).endpoint = castDraft(event.endpoint);
      delete service(event.id).vips;
      if (event.vips) service(event.id).vips = castDraft(event.vips);
      delete service(event.id).allocationError;
      delete service(event.id).allocationErrorAbout;
      return;
    case 'service.unallocated':
      service(event.id).allocationError = event.error;
      delete service(event.id).allocationErrorAbout;
      if (event.about) service(event.id).allocationErrorAbout = event.about;
      return;
    case 'service.run-started': {
      const { iteration, dueAt } = event;
      service(event.id);
      const runs = runsOf(state, event.id);
      for (const stopped of event.stops) endRun(runs, stopped, { endedAt: at, outcome: 'stopped' });
      runs.active.push({ iteration, startedAt: at, dueAt });
      Object.assign(runs, { iteration, lastExecution: at, decidedUntil: dueAt });
      return;
    }
    case 'service.run-ended': {
      const { outcome, message } = event;
      service(event.id);
      endRun(runsOf(state, event.id), event.iteration, {
        endedAt: at,
        outcome,
        ...(message === undefined ? {} : { message }),
      });
      return;
    }
    case 'service.run-missed':
      service(event.id);
      Object.assign(runsOf(state, event.id), { decidedUntil: event.missed.dueAt, missed: event.missed });
      return;
    case 'service.autoscaled': {
      const { from, to, value, reason } = event;
      const row = service(event.id);
      row.spec.replicas = to;
      row.autoscaleStatus = { scaledAt: at, last: { at, from, to, value, reason } };
      return;
    }
    case 'service.metric-lost': {
      const row = service(event.id);
      row.autoscaleStatus = { ...row.autoscaleStatus, lost: { since: at, reason: event.reason } };
      return;
    }
    case 'service.metric-found':
      delete service(event.id).autoscaleStatus?.lost;
      return;
    case 'task.created': {
      const now = must(state.services[event.serviceId]);
      const held = now.spec.dependsOn !== undefined && now.spec.dependsOn.length > 0;
      const before = event.previous ? now.previousSpec : undefined;
      const spec = before ?? now.spec;
      const specVersion = before ? (now.previousSpecVersion ?? 0) : now.specVersion;
      const endpoint = before ? undefined : now.endpoint;
      for (const { startAfter, ...row } of event.rows) {
        const started = row.jobIteration === undefined ? ('running' as const) : ('complete' as const);
        state.tasks[row.id] = castDraft({
          ...row,
          ...meta,
          serviceId: event.serviceId,
          specVersion,
          spec: spec.task,
          ports: endpoint?.ports ?? spec.ports,
          desiredState: startAfter === undefined && !held ? started : ('ready' as const),
          status: { state: 'new' as const, at, message: 'created' },
          statusAppliedAt: at,
          startAfter: startAfter ?? 0,
          ...(held ? { awaitsDependencies: true as const } : {}),
          ...(spec.maxOne ? { leaseMs: spec.maxOne.leaseMs } : {}),
        });
      }
      return;
    }
    case 'task.allocated':
      for (const id of event.ids) {
        const row = task(id);
        row.ports = state.services[row.serviceId]?.endpoint?.ports ?? row.ports;
        const places = event.attachments?.[id];
        if (places) row.attachments = castDraft(places);
        report(row, { state: 'pending', at, message: 'pending task scheduling' }, at);
      }
      return;
    case 'task.unallocated':
      for (const id of event.ids) {
        const { error } = event;
        report(
          task(id),
          { state: 'new', at, message: 'waits for an address', error, about: 'addresses' },
          at,
        );
      }
      return;
    case 'task.assigned':
      for (const { nodeId, tasks, generic } of event.rows) {
        for (const id of tasks) {
          const row = task(id);
          row.nodeId = nodeId;
          delete row.explanation;
          const given = generic?.[id];
          if (given) row.assignedGeneric = castDraft(given);
          for (const { serviceId, specVersion, ...choice } of event.choices ?? []) {
            if (row.serviceId !== serviceId || row.specVersion !== specVersion) continue;
            row.decision = castDraft({ ...choice, index: version, at });
          }
          report(row, { state: 'assigned', at, message: 'scheduler assigned task to node' }, at);
        }
      }
      return;
    case 'task.unplaced':
      for (const id of event.ids) {
        task(id).explanation = castDraft({ ...event.explanation, index: version, at });
      }
      return;
    case 'task.status':
      for (const { id, status } of event.rows) report(task(id), status, at);
      return;
    case 'task.desired': {
      const order = ['ready', 'running', 'complete', 'shutdown', 'remove'];
      for (const id of event.ids) {
        const later = order.indexOf(event.state) > order.indexOf(must(state.tasks[id]).desiredState);
        if (!later) continue;
        const row = task(id);
        const hadTraffic =
          row.status.state === 'running' && !['shutdown', 'remove'].includes(row.desiredState);
        const leaves = hadTraffic && (event.state === 'shutdown' || event.state === 'remove');
        if (leaves) row.leaving = { index: version, since: at };
        row.desiredState = event.state;
      }
      return;
    }
    case 'task.kept':
      for (const id of event.ids) delete task(id).evicted;
      return;
    case 'task.evicted':
      for (const id of event.ids) task(id).evicted = { cause: event.cause, since: at };
      return;
    case 'task.nominated':
      for (const { id, nodeId, victims } of event.rows) {
        task(id).nomination = { nodeId, victims: [...victims], index: version, since: at };
      }
      return;
    case 'task.preempted':
      for (const { id, by } of event.rows) task(id).evicted = { cause: 'preemption', since: at, by };
      return;
    case 'task.unnominated':
      for (const id of event.ids) delete task(id).nomination;
      return;
    case 'task.released':
      for (const id of event.ids) {
        const { leaving } = task(id);
        if (!leaving) continue;
        leaving.releasedAt = at;
        if (event.unconfirmed) leaving.unconfirmed = [...event.unconfirmed];
      }
      return;
    case 'task.dependencies-met':
      for (const id of event.ids) delete task(id).awaitsDependencies;
      return;
    case 'task.removed':
      for (const id of event.ids) delete state.tasks[id];
      return;
    case 'network.created':
      state.networks[event.id] = castDraft({ id: event.id, spec: event.spec, ...meta });
      return;
    case 'network.updated':
      touched(state.networks, event.id, touch).spec = castDraft(event.spec);
      return;
    case 'network.allocated':
      touched(state.networks, event.id, touch).allocation = castDraft(event.allocation);
      delete touched(state.networks, event.id, touch).allocationError;
      return;
    case 'network.unallocated':
      touched(state.networks, event.id, touch).allocationError = event.error;
      return;
    case 'network.removed':
      delete state.networks[event.id];
      return;
    case 'secret.created':
    case 'secret.updated':
    case 'secret.rotated':
    case 'secret.pruned':
    case 'secret.removed':
    case 'config.created':
    case 'config.updated':
    case 'config.rotated':
    case 'config.pruned':
    case 'config.removed':
      applyToFiles(state, event, touch);
      return;
    case 'vault.stored':
      state.vault[event.digest] = castDraft(event.data);
      return;
    case 'vault.removed':
      for (const digest of event.digests) delete state.vault[digest];
  }
}

function isHidden({ holdsBack, heldUntil, servesOnly }: UpdateStatus, version: number): boolean {
  if (servesOnly !== undefined || holdsBack === undefined) return false;
  return holdsBack <= version && (heldUntil === undefined || version < heldUntil);
}

function report(row: Draft<Task>, status: Task['status'], at: number): void {
  row.status = castDraft(status);
  row.statusAppliedAt = at;
  if (isTerminal(status.state)) {
    delete row.leaving;
    delete row.attachments;
  }
  if (status.state === 'running') row.runningSince ??= at;
}

function runsOf(state: Draft<PlainState>, id: string): Draft<JobStatus> {
  return must(must(state.services[id]).jobStatus);
}
