import type { BuildBench } from "../../core/host/builder/testdata/build-bench.ts";
import { compare, runQuietly } from "./measure.ts";
import { FLOE } from "./no-op.ts";

const COUNT = 200;
const JOBS = "2";

/**
 * Many builds that do next to nothing, each in a sandbox of its own: what is timed is the cost around a build. The
 * derivations of both programs are alike but for their names, and all outputs are missing before each run.
 */
export async function benchTrivialBuilds(bench: BuildBench): Promise<void> {
  const { store, directory } = bench;
  let paths: string[] = [];
  const prepare = (who: string) => async (round: number) => {
    const names = Array.from({ length: COUNT }, (_, i) => `${who}-${round}-${i}`);
    paths = await bench.scripts(names.map((name) => [name, "echo done > $out"] as const));
  };
  await compare({
    title: `${COUNT} trivial sandboxed builds, ${JOBS} at once`,
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
          [
            ...paths,
            "--store",
            store.root,
            "--no-out-link",
            "-j",
            JOBS,
            "--option",
            "sandbox",
            "true",
            "--option",
            "substitute",
            "false",
          ],
          directory,
        ).then(() => {}),
    },
  });
}
