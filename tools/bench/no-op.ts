import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { BuildBench } from "../../core/host/builder/testdata/build-bench.ts";
import { compare, runQuietly } from "./measure.ts";

export const FLOE = fileURLToPath(new URL("../cli/floe", import.meta.url));

const FLAKE = `import { derivation, local } from "#floe/derivation";
import { defineFlake } from "#floe/flake";

export default defineFlake({
  description: "One derivation",
  outputs() {
    const tools = local("./tools");
    const bin = \`\${tools}/bin\`;
    const one = derivation({ name: "one", system: "x86_64-linux", builder: \`\${bin}/busybox\`, args: ["sh", "-c", "echo one > $out"], env: { PATH: bin } });
    return { packages: { "x86_64-linux": { default: one } } };
  },
});
`;

const NIX = `let bin = "\${./tools}/bin"; in
derivation { name = "one"; system = "x86_64-linux"; builder = "\${bin}/busybox"; args = [ "sh" "-c" "echo one > $out" ]; PATH = bin; }
`;

/** A build that finds everything done: evaluation, look-up, link. Both programs evaluate an equal derivation and use one store. */
export async function benchNoOp({ directory, store }: BuildBench): Promise<void> {
  writeFileSync(`${directory}/flake.config.ts`, FLAKE);
  writeFileSync(`${directory}/default.nix`, NIX);
  const ours = (
    await runQuietly(FLOE, ["build", ".", "--store", store.root, "--no-link", "--print-out-paths"], directory)
  ).trim();
  const theirs = (await runQuietly("nix-build", ["--store", store.root, "--no-out-link"], directory)).trim();
  console.log(ours === theirs ? `both make ${ours}` : `the derivations differ: ${ours} and ${theirs}`);
  await compare({
    title: "no-op build",
    rounds: 11,
    ours: {
      name: "floe build",
      run: () => runQuietly(FLOE, ["build", ".", "--store", store.root, "--no-link"], directory).then(() => {}),
    },
    theirs: {
      name: "nix-build",
      run: () => runQuietly("nix-build", ["--store", store.root, "--no-out-link"], directory).then(() => {}),
    },
  });
}
