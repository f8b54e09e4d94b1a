import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { floeCommand, temporaryDirectory } from "../../testing.ts";

const directory = temporaryDirectory();
const root = join(directory, "root");
const present = spawnSync("nix-instantiate", ["--version"]).status === 0;
const referee = present ? test : test.skip;
if (!present) console.log("skipped: nix-instantiate is not on the PATH, so real Nix cannot be asked");

function floe(
  store: string,
  words: readonly string[],
  input?: string,
): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [...floeCommand(), "derivation", ...words, "--store", store], {
    encoding: "utf8",
    input,
  });
}

const ONE = {
  name: "one",
  outputs: { out: {} },
  inputSrcs: [],
  inputDrvs: {},
  system: "x86_64-linux",
  builder: "/bin/sh",
  args: ["-c", "echo > $out"],
  env: { out: "", A: "\u00e9\n" },
};

test("floe derivation add completes a derivation and answers its path", () => {
  const added = floe(root, ["add"], JSON.stringify(ONE));
  assert.is(added.status, 0, added.stderr);
  const path = added.stdout.trim();
  assert.match(path, /-one\.drv$/);
  const shown = floe(root, ["show", path]);
  assert.is(shown.status, 0, shown.stderr);
  const again = floe(join(directory, "again"), ["add", "--json"], shown.stdout);
  assert.equal(JSON.parse(again.stdout), [path], again.stderr);
});

test("floe derivation add refuses paths that do not follow from the rest", () => {
  const path = floe(root, ["add"], JSON.stringify(ONE)).stdout.trim();
  const { [path]: shown } = JSON.parse(floe(root, ["show", path]).stdout) as Record<
    string,
    { outputs: { out: { path: string } }; env: { out: string } }
  >;
  assert.ok(shown);
  const wrong = { ...shown, args: ["other"] };
  const refused = floe(root, ["add"], JSON.stringify({ ...wrong, name: "one" }));
  assert.is(refused.status, 1);
  assert.match(refused.stderr, "[derivation.inconsistent]");
  const misplaced = floe(root, ["add"], JSON.stringify({ [path]: wrong }));
  assert.match(misplaced.stderr, "[store.wrong-path]");
  const missing = floe(
    root,
    ["add"],
    JSON.stringify({ ...ONE, inputSrcs: ["/nix/store/vxjiwkjkn7x4079qvh1jkl5pn05j2aw0-foo"] }),
  );
  assert.match(missing.stderr, "[store.reference-not-valid]");
  assert.match(floe(root, ["add"], "{").stderr, "[derivation.bad-json]");
});

const EXPRESSION = `let a = derivation { name = "a"; system = "x86_64-linux"; builder = "/bin/sh"; outputs = [ "out" "dev" ]; text = builtins.toFile "t" "t"; };
  f = derivation { name = "f"; system = "x86_64-linux"; builder = "/bin/sh"; outputHashMode = "recursive"; outputHashAlgo = "sha256"; outputHash = "0000000000000000000000000000000000000000000000000000"; };
in derivation { name = "b"; system = "x86_64-linux"; builder = "/bin/sh"; args = [ "-c" "echo \${a.dev}" ]; inherit f; }`;

referee("derivations of Nix are shown as it shows them, and add up to the same paths", () => {
  const env = { ...process.env, NIX_REMOTE: "", NIX_CONFIG: "experimental-features = nix-command" };
  const nix = (program: string, ...words: string[]): string => {
    const { status, stdout, stderr } = spawnSync(program, [...words, "--store", root], { encoding: "utf8", env });
    assert.is(status, 0, stderr);
    return stdout;
  };
  const path = nix("nix-instantiate", "--expr", EXPRESSION).trim();
  const theirs = nix("nix", "show-derivation", "-r", path);
  const ours = floe(root, ["show", "-r", path]);
  assert.equal(JSON.parse(ours.stdout), JSON.parse(theirs), ours.stderr);
  const second = join(directory, "second");
  // The source must be there first.
  const closure = nix("nix-store", "-qR", path).trim().split("\n");
  const source = closure.filter((each) => !each.endsWith(".drv"));
  const stream = spawnSync("nix-store", ["--store", root, "--export", ...source], { env, maxBuffer: 1 << 28 });
  assert.is(spawnSync("nix-store", ["--store", second, "--import"], { env, input: stream.stdout }).status, 0);
  const added = floe(second, ["add"], theirs);
  assert.is(added.status, 0, added.stderr);
  assert.equal(added.stdout.trim().split("\n").sort(), closure.filter((each) => each.endsWith(".drv")).sort());
});

test.run();
