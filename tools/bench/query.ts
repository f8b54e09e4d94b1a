import { join } from "node:path";
import type { BuildBench } from "../../core/host/builder/testdata/build-bench.ts";
import { removeTree } from "../../core/host/files/index.ts";
import { makeStore } from "./gc.ts";
import { compare, runQuietly } from "./measure.ts";
import { FLOE } from "./no-op.ts";

const NIX = ["--extra-experimental-features", "nix-command"];

/** Questions about all of a store of 40,000 objects, and about a closure of half of it. */
export async function benchQuery({ directory }: BuildBench): Promise<void> {
  const { root, live } = makeStore(join(directory, "query"));
  const [first, middle, last] = [live[0], live[live.length / 2], live.at(-1)] as [string, string, string];
  const store = ["--store", root];
  const questions: readonly (readonly [
    title: string,
    ours: readonly string[],
    theirs: readonly [string, ...string[]],
  ])[] = [
    ["the registration of 40,000 store objects", ["store", "dump-db"], ["nix-store", "--dump-db"]],
    [
      `the closure of ${live.length} store objects`,
      ["store", "query", "--requisites", last],
      ["nix-store", "-qR", last],
    ],
    [
      `sizes of ${live.length} store objects`,
      ["store", "info", "-rs", last],
      ["nix", ...NIX, "path-info", "-rs", last],
    ],
    [
      "why one store object needs another",
      ["store", "why-depends", last, first],
      ["nix", ...NIX, "why-depends", last, first],
    ],
    [
      `the difference of closures of ${live.length} and ${live.length / 2} store objects`,
      ["store", "diff-closures", middle, last],
      ["nix", ...NIX, "store", "diff-closures", middle, last],
    ],
  ];
  for (const [title, ours, [program, ...theirs]] of questions) {
    await compare({
      title,
      rounds: 5,
      ours: {
        name: `floe ${ours.slice(0, 2).join(" ")}`,
        run: () => runQuietly(FLOE, [...ours, ...store], directory).then(() => {}),
      },
      theirs: {
        name: [program, ...theirs].filter((word) => !NIX.includes(word) && !word.startsWith("/")).join(" "),
        run: () => runQuietly(program, [...theirs, ...store], directory).then(() => {}),
      },
    });
  }
  removeTree(root);
}
