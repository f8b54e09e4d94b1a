import type { BuildBench } from "../../core/host/builder/testdata/build-bench.ts";
import { compare, runQuietly } from "./measure.ts";
import { FLOE } from "./no-op.ts";

const COUNT = 500;
const LENGTH = 200;
const JOBS = "2";

/** Nix builds in its sandbox as ours is, by itself: without substituters, and as root without a group of users. */
const NIX_OPTIONS = ["sandbox true", "substitute false", "build-users-group "].flatMap((option) => [
  "--option",
  ...option.split(" "),
]);

/**
 * Many builds that do next to nothing, each in a sandbox of its own: what is timed is the cost around a build. The
 * derivations of both programs are alike but for their names, and all outputs are missing before each run.
 */
export async function benchTrivialBuilds(bench: BuildBench): Promise<void> {
  await compareBuilds(bench, `${COUNT} trivial sandboxed builds, ${JOBS} at once`, (tag) =>
    bench.scripts(Array.from({ length: COUNT }, (_, i) => [`${tag}-${i}`, "echo done > $out"] as const)),
  );
}

/** Builds of which each needs the one before: what is timed is how soon the next begins. */
export async function benchBuildChain(bench: BuildBench): Promise<void> {
  await compareBuilds(bench, `a chain of ${LENGTH} trivial sandboxed builds`, async (tag) => {
    const first = [`${tag}-0`, "echo 0 > $out"] as const;
    const rest = Array.from(
      { length: LENGTH - 1 },
      (_, i) => [`${tag}-${i + 1}`, (before: unknown) => `read n < ${before}; echo $((n + 1)) > $out`] as const,
    );
    return (await bench.scripts([first, ...rest])).slice(-1);
  });
}

async function compareBuilds(
  { store, directory }: BuildBench,
  title: string,
  make: (tag: string) => Promise<string[]>,
): Promise<void> {
  let paths: string[] = [];
  const prepare = (who: string) => async (round: number) => {
    paths = await make(`${who}-${round}`);
  };
  await compare({
    title,
    rounds: 5,
    ours: {
      name: "floe build",
      prepare: prepare("ours"),
      run: () =>
        runQuietly(FLOE, ["build", ...paths, "--store", store.root, "--no-link", "--max-jobs", JOBS], directory).then(
          () => {},
        ),
    },
    theirs: {
      name: "nix-build",
      prepare: prepare("theirs"),
      run: () =>
        runQuietly(
          "nix-build",
          [...paths, "--store", store.root, "--no-out-link", "-j", JOBS, ...NIX_OPTIONS],
          directory,
        ).then(() => {}),
    },
  });
}
