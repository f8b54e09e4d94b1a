import { spawn } from "node:child_process";

/** Two ways to do the same thing, timed in turn in one run, so that a busy machine slows both. */
export interface Comparison {
  readonly title: string;
  /** How many runs of each are timed, after one that is not. */
  readonly rounds: number;
  readonly ours: Contender;
  readonly theirs: Contender;
}

export interface Contender {
  readonly name: string;
  /** Get ready for one run; not timed. */
  readonly prepare?: (round: number) => void | Promise<void>;
  /** The run, which is timed. */
  readonly run: (round: number) => Promise<void>;
  /** Clear away after the last run of both. */
  readonly finish?: () => void;
}

export interface Compared {
  /** Median of our runs. */
  readonly ourMs: number;
  /** Of our median to theirs; below 1: ours is faster. */
  readonly ratio: number;
}

/** Time both, alternating, and print medians and their ratio. */
export async function compare({ title, rounds, ours, theirs }: Comparison): Promise<Compared> {
  const times = new Map<Contender, number[]>([
    [ours, []],
    [theirs, []],
  ]);
  for (let round = 0; round <= rounds; round++) {
    for (const contender of round % 2 === 0 ? [ours, theirs] : [theirs, ours]) {
      await contender.prepare?.(round);
      // What the run before has left in memory is no burden of this one, which may wait for the disk.
      await runQuietly("sync", [], "/");
      const started = performance.now();
      await contender.run(round);
      // The first round warms caches of files and compiled code.
      if (round > 0) times.get(contender)?.push(performance.now() - started);
    }
  }
  for (const contender of [ours, theirs]) contender.finish?.();
  const [our, their] = [ours, theirs].map((contender) => median(times.get(contender) ?? [])) as [number, number];
  const width = Math.max(ours.name.length, theirs.name.length, "ratio".length);
  console.log(`${title} (median of ${rounds} runs)`);
  for (const [contender, value] of [
    [ours, our],
    [theirs, their],
  ] as const) {
    const list = times.get(contender) ?? [];
    console.log(
      `  ${contender.name.padEnd(width)}  ${showMs(value)}  (${showMs(Math.min(...list))} … ${showMs(Math.max(...list))})`,
    );
  }
  console.log(`  ${"ratio".padEnd(width)}  ${(our / their).toFixed(2)}`);
  return { ourMs: our, ratio: our / their };
}

/**
 * The same work, and then a wait until the disk has what it wrote. What we report is on the disk; what others report may be in
 * memory alone, so a comparison with it says what the promise costs, and one with this what the work does.
 */
export function onDisk(contender: Contender, directory: string): Contender {
  return {
    ...contender,
    name: `${contender.name}; sync`,
    async run(round) {
      await contender.run(round);
      await runQuietly("sync", ["-f", directory], directory);
    },
  };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] as number)) / 2;
}

export function showMs(ms: number): string {
  return ms < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(2)} s`;
}

/** Run a program to its end without showing what it says. @throws {Error} with its words when it fails */
export function runQuietly(program: string, args: readonly string[], cwd: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
    let out = "";
    let words = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      out += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      words += text;
    });
    child.on("error", reject);
    child.on("close", (code) =>
      code === 0 ? resolve(out) : reject(new Error(`${program} ended with ${code}:\n${words.slice(-2000)}`)),
    );
  });
}
