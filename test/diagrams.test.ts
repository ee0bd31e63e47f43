/** Diagrams of the docs are drawn from the code; here they are held to it. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { taskLifeDiagram } from '../scripts/task-life.ts';
import { workspaceRoot } from '../scripts/workspace.ts';

it("given the diagram of a task's life, then it is what the machine says", () => {
  const text = readFileSync(join(workspaceRoot, 'packages/core/src/task/task-life.md'), 'utf8');
  expect(text).toContain(taskLifeDiagram());
});
