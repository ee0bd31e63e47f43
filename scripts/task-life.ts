/** The life of a task as a Mermaid diagram, drawn from the machine itself. `npx tsx --conditions=@skep/source scripts/task-life.ts` prints it. */

import { taskMachine } from '../packages/core/src/task/task-machine.ts';

/** The diagram, an arrow a line. */
export function taskLifeDiagram(): string {
  const lines = ['stateDiagram-v2', '  [*] --> new'];
  for (const [name, state] of Object.entries(taskMachine.config.states ?? {})) {
    const arrows = Object.entries(state.on ?? {}).map(([event, to]) => [event, String(to)] as const);
    if (arrows.length === 0) lines.push(`  ${name} --> [*]`);
    for (const [event, to] of arrows) lines.push(`  ${name} --> ${to}: ${event}`);
  }
  return lines.join('\n');
}

if (process.argv[1] === import.meta.filename) console.log(taskLifeDiagram());
