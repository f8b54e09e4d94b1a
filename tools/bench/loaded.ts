import { type ChildProcess, spawn } from "node:child_process";
import { ROOT } from "../checks/source-tree.ts";
import { runQuietly, showMs } from "./measure.ts";
import { FLOE } from "./no-op.ts";

/** Processes that want a processor each, beside everything else. */
const LOOPS = 2;

/**
 * Stories on this host as it is, and beside {@link LOOPS} loops that never rest: deadlines count the time of the guests, so what passes on
 * the one has to pass on the other. FLOE_BENCH_STORIES names them, with spaces between; default: three that wait for much.
 */
export async function benchLoaded(): Promise<void> {
  const stories = (process.env["FLOE_BENCH_STORIES"] ?? "boot machine-api network").split(" ");
  // What they need is built before anything is timed.
  await runQuietly(FLOE, ["build", "--no-link", ...stories.map((name) => `.#vmTests.${name}`)], ROOT);
  console.log(`stories on this host, and beside ${LOOPS} busy loops (a story that fails ends this)`);
  for (const story of stories) {
    const quiet = await time(story);
    const loops = Array.from({ length: LOOPS }, startLoop);
    try {
      const loaded = await time(story);
      console.log(`  ${story.padEnd(20)} ${showMs(quiet).padEnd(12)} ${showMs(loaded).padEnd(12)} passed both times`);
    } finally {
      for (const loop of loops) loop.kill("SIGKILL");
    }
  }
}

async function time(story: string): Promise<number> {
  const begin = performance.now();
  await runQuietly(FLOE, ["vm-test", "run", "--direct", story], ROOT);
  return performance.now() - begin;
}

function startLoop(): ChildProcess {
  return spawn(process.execPath, ["-e", "for (;;);"], { stdio: "ignore" });
}
