/** A committed transaction in words, for traces. */

import type { Change, ChangeSet } from '@skep/core';

/** What changed, a line each; nothing for what nobody would look for. */
export function tell({ changes, actor }: ChangeSet): string[] {
  const by = actor.kind === 'user' ? 'user' : actor.kind === 'node' ? 'agent' : actor.name;
  return changes.flatMap((change) => {
    const what = tellChange(change);
    return what === undefined ? [] : [`${by}: ${what}`];
  });
}

function tellChange(change: Change): string | undefined {
  switch (change.kind) {
    case 'task': {
      const { before, after } = change;
      const task = after ?? before;
      if (!task) return undefined;
      const name = `task ${task.id.slice(0, 6)} (slot ${task.slot})`;
      if (!after) return `${name} removed`;
      if (!before) return `${name} created of service ${after.serviceId.slice(0, 6)}`;
      const parts = [
        ...(before.status.state === after.status.state
          ? []
          : [`${before.status.state} → ${after.status.state}`]),
        ...(before.desiredState === after.desiredState ? [] : [`wanted ${after.desiredState}`]),
        ...(before.nodeId === after.nodeId ? [] : [`on node ${after.nodeId?.slice(0, 6)}`]),
      ];
      return parts.length === 0 ? undefined : `${name} ${parts.join(', ')}`;
    }
    case 'node': {
      const { before, after } = change;
      if (!after) return `node ${before?.description.hostname} removed`;
      const name = `node ${after.description.hostname} (${after.id.slice(0, 6)})`;
      if (!before) return `${name} joined`;
      if (before.status.state !== after.status.state)
        return `${name} ${after.status.state}: ${after.status.message}`;
      return before.spec === after.spec ? undefined : `${name} ${after.spec.availability}`;
    }
    case 'service': {
      const { before, after } = change;
      if (!after) return `service ${before?.spec.name} removed`;
      const name = `service ${after.spec.name} (${after.id.slice(0, 6)})`;
      if (!before) return `${name} created`;
      return before.spec === after.spec ? undefined : `${name} updated to spec ${after.specVersion}`;
    }
    case 'secret':
      return change.after
        ? `secret ${change.after.spec.name} at revision ${change.after.revision}`
        : 'secret removed';
    default:
      return undefined;
  }
}
