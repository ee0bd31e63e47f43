/** A node as the engine's `Node`. */

import type { GenericResource, Node, NodeState } from '@skep/core';
import { filledList, filledMap, ifTrue } from '../json/absent.ts';
import { nanos, timestamp } from '../json/time.ts';
import type { KnownManager, Manager } from '../membership/membership.ts';
import { trustOut } from './trust-out.ts';

/** Go's names of processors as the engine tells them, which are the kernel's. */
const MACHINES: Readonly<Record<string, string>> = { amd64: 'x86_64', arm64: 'aarch64', '386': 'i686' };

/** The engine's name for a processor. */
export function machineOf(architecture: string): string {
  return MACHINES[architecture] ?? architecture;
}

/** What of a manager every node's answer shares. */
export interface NodeWriting {
  readonly managers: readonly KnownManager[];
  readonly trust: object;
}

/** What to write nodes with. */
export function nodeWriting(manager: Manager): NodeWriting {
  return { managers: manager.managers, trust: trustOut(manager.trustRoot) };
}

/** The engine's `Node`. */
export function nodeOut(node: Node, { managers, trust }: NodeWriting) {
  const { id, version, createdAt, updatedAt, spec, description, status } = node;
  const { hostname, platform, resources, engine } = description;
  return {
    ID: id,
    Version: { Index: version },
    CreatedAt: timestamp(createdAt),
    UpdatedAt: timestamp(updatedAt),
    Spec: { Labels: spec.labels, Role: spec.role, Availability: spec.availability },
    Description: {
      Hostname: hostname,
      Platform: { Architecture: machineOf(platform.architecture), OS: platform.os },
      Resources: {
        NanoCPUs: nanos(resources.cpus * 1_000),
        MemoryBytes: resources.memoryBytes,
        GenericResources: filledList(genericResourcesOut(resources.generic)),
      },
      Engine: {
        EngineVersion: engine.version,
        Labels: filledMap(engine.labels),
        Plugins: (engine.plugins ?? []).map(pluginOut),
      },
      TLSInfo: trust,
    },
    Status: { State: STATES[status.state], Message: messageOf(node), Addr: status.address },
    ManagerStatus: managerStatusOut(
      node,
      managers.find(({ nodeId }) => nodeId === id),
    ),
  };
}

/** The engine knows no doubt about a node: it is there until it is given up. */
const STATES: Readonly<Record<NodeState, string>> = {
  unknown: 'unknown',
  ready: 'ready',
  suspect: 'ready',
  leaving: 'ready',
  down: 'down',
};

function messageOf({ status }: Node): string | undefined {
  return status.state === 'ready' || status.message === '' ? undefined : status.message;
}

function managerStatusOut({ status }: Node, manager: KnownManager | undefined) {
  if (manager === undefined) return undefined;
  return {
    Leader: ifTrue(manager.leads),
    Reachability: status.state === 'down' ? 'unreachable' : 'reachable',
    Addr: manager.address,
  };
}

function pluginOut(plugin: string) {
  const at = plugin.indexOf('/');
  return { Type: plugin.slice(0, at), Name: plugin.slice(at + 1) };
}

/** The engine's list of generic resources. */
export function genericResourcesOut(generic: Readonly<Record<string, GenericResource>>): object[] {
  return Object.entries(generic).flatMap(([kind, amount]): object[] =>
    typeof amount === 'number'
      ? [{ DiscreteResourceSpec: { Kind: kind, Value: amount } }]
      : amount.map((value) => ({ NamedResourceSpec: { Kind: kind, Value: value } })),
  );
}
