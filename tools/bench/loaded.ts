import { type ChildProcess, spawn } from "node:child_process";
import { ROOT } from "../checks/source-tree.ts";
import { runQuietly } from "./measure.ts";
import { FLOE } from "./no-op.ts";

/** Processes that want a processor each, beside everything else. */
const LOOPS = 2;

/** One test as `--json` tells of it. */
interface Told {
  readonly name: string;
  readonly outcome: string;
  readonly seconds: number;
}

/**
 * All stories of x86_64 beside {@link LOOPS} loops that never rest. Deadlines count the time of the guests, so what passes on a quiet host, as the tests show, has to pass
 * here. It takes a quarter of an hour: FLOE_BENCH_STORIES names some, with spaces between, and FLOE_BENCH_SHARD=1/2 runs the first half of the time.
 */
export async function benchLoaded(): Promise<void> {
  const { FLOE_BENCH_STORIES: named = "", FLOE_BENCH_SHARD: shard } = process.env;
  const chosen = [...named.split(" ").filter((name) => name !== ""), "--platform", "x86_64-linux"];
  // What they need is built before anything is timed.
  const listed = JSON.parse((await ask(["vm-test", "list", "--json", ...chosen])).stdout) as readonly Told[];
  await runQuietly(FLOE, ["build", "--no-link", ...listed.map(({ name }) => `.#vmTests.${name}`)], ROOT);
  const loops = Array.from({ length: LOOPS }, startLoop);
  try {
    const words = [
      "vm-test",
      "run",
      "--direct",
      "--json",
      ...chosen,
      ...(shard === undefined ? [] : ["--shard", shard]),
    ];
    const { stdout, code } = await ask(words);
    console.log(
      `stories beside ${LOOPS} busy loops; what they need was built before that, and is in none of the times`,
    );
    for (const { name, outcome, seconds } of JSON.parse(stdout) as readonly Told[])
      console.log(`  ${name.padEnd(20)} ${`${Math.round(seconds)} s`.padEnd(8)} ${outcome}`);
    if (code !== 0) throw new Error(`not all of them passed (exit code ${code})`);
  } finally {
    for (const loop of loops) loop.kill("SIGKILL");
  }
}

/** What the program answers, whatever came of it; what it says to people is shown as it comes. */
async function ask(words: readonly string[]): Promise<{ stdout: string; code: number | null }> {
  const child = spawn(FLOE, words, { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
  let stdout = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  const code = await new Promise<number | null>((resolve, reject) =>
    child.on("error", reject).on("close", (status) => resolve(status)),
  );
  return { stdout, code };
}

function startLoop(): ChildProcess {
  return spawn(process.execPath, ["-e", "for (;;);"], { stdio: "ignore" });
}
