/** A driver with eyes on it: how many outputs are read just now, and how much was taken of them. */

import type { RuntimeDriver, RuntimeTask, TaskRuntime } from '@skep/core/driver';

/** What was seen. */
export interface OutputCount {
  readers: number;
  bytes: number;
}

/** The driver, which tells `count` of the outputs that are read. */
export function countedDriver(driver: RuntimeDriver, count: OutputCount): RuntimeDriver {
  return overridden(driver, {
    runtime: (task: RuntimeTask) => countedRuntime(driver.runtime(task), count),
  });
}

function countedRuntime(runtime: TaskRuntime, count: OutputCount): TaskRuntime {
  return overridden(runtime, {
    async *logs(options: Parameters<TaskRuntime['logs']>[0]) {
      count.readers += 1;
      try {
        for await (const chunk of runtime.logs(options)) {
          count.bytes += chunk.data.length;
          yield chunk;
        }
      } finally {
        count.readers -= 1;
      }
    },
  });
}

/** An object with some of its members replaced. What is left is called on the object itself. */
function overridden<T extends object>(target: T, members: Partial<T>): T {
  return new Proxy(target, {
    get(_, name) {
      if (Object.hasOwn(members, name)) return members[name as keyof T];
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
}
