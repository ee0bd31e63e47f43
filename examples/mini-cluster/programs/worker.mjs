/**
 * The worker of examples/stacks/hello.yaml: prints a line every TICK_SECONDS (3 by default), and ends by itself on
 * SIGTERM.
 */

const { env } = process;
const tickMs = Math.max(0.05, Number(env.TICK_SECONDS ?? 3) || 3) * 1_000;
const name = env.SKEP_TASK_NAME ?? `pid-${process.pid}`;

let ticks = 0;
const tick = () => {
  ticks += 1;
  console.log(`${name} tick ${ticks}`);
};
tick();
const timer = setInterval(tick, tickMs);

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, () => {
    clearInterval(timer);
    console.log(`${name} ends on ${signal} after ${ticks} ticks`);
  });
}
