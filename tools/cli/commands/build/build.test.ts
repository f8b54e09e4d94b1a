import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type CliResult, runFloe, temporaryDirectory } from "../../testing.ts";
import { writeFlake } from "../../testing-flake.ts";

const directory = temporaryDirectory();
const flake = join(directory, "flake");
const root = join(directory, "root");
const cache = join(directory, "cache");
// The user of a build has to get to the hook.
chmodSync(directory, 0o711);

const server = createServer((_request, response) => void response.end("hello\n"));
await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
server.unref();
const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hello`;

// coreutils: printf 'hello\n' | sha256sum | xxd -r -p | base64
const HELLO = "sha256-WJG1tSLV3whtD/CxEPvZ0hu0/HFjrzTQgoai6Eb2vgM=";
const OTHER = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

mkdirSync(flake);
writeFlake(
  flake,
  `
    greeting: shell("greeting", "echo hello > $out"),
    twice: shell("twice", "echo out > $out; echo dev > $dev", { outputs: ["out", "dev"] }),
    hooked: shell("hooked", "echo hooked > $out"),
    broken: shell("broken", "echo first line; echo second line; exit 3"),
    needsBroken: shell("needs-broken", "exit 0", { env: { broken: shell("broken", "echo first line; echo second line; exit 3") } }),
    differing: shell("differing", "read now < /proc/sys/kernel/random/uuid; echo $now > $out"),
    slow: shell("slow", "echo has begun; while :; do :; done"),
    fetched: fetch("fetched", "${address}", "${HELLO}"),
    moved: fetch("fetched", "${address}-2", "${HELLO}"),
    mismatch: fetch("mismatch", "${address}", "${OTHER}"),
    unreachable: fetch("unreachable", "http://127.0.0.1:1/gone", "${OTHER}"),
`,
);

function floe(words: readonly string[], options: Parameters<typeof runFloe>[1] = {}): Promise<CliResult> {
  return runFloe([...words, "--store", root], {
    cwd: flake,
    ...options,
    env: { XDG_CACHE_HOME: cache, ...options.env },
  });
}

/** The line that says what went wrong. */
const errorLine = (result: CliResult) =>
  result.stderr.split("\n").find((line) => line.startsWith("error:")) ?? result.stderr;

test("floe build builds, links and says where", async () => {
  const built = await floe(["build", ".#greeting", "--print-out-paths"]);
  assert.is(built.code, 0, built.stderr);
  const path = built.stdout.trim();
  assert.match(path, /^\/nix\/store\/[0-9a-z]{32}-greeting$/);
  assert.is(readlinkSync(join(flake, "result")), path);
  assert.is(readFileSync(root + path, "utf8"), "hello\n");
  const again = await floe(["build", ".#greeting", "--no-link", "--json"]);
  const [result] = JSON.parse(again.stdout) as { attribute: string; drvPath: string; outputs: { out: string } }[];
  assert.is(result?.outputs.out, path);
  assert.is(result?.attribute, "packages.x86_64-linux.greeting");
  const { stdout } = await floe(["build", result?.drvPath ?? "", "--no-link", "--print-out-paths"]);
  assert.is(stdout.trim(), path);
});

test("floe build links to outputs by name, and to further installables by number", async () => {
  const { code, stderr } = await floe(["build", ".#greeting", ".#twice^*", "--out-link", join(directory, "links")]);
  assert.is(code, 0, stderr);
  assert.equal(
    readdirSync(directory).filter((name) => name.startsWith("links")),
    ["links", "links-1", "links-1-dev"],
  );
});

test("floe build --dry-run says what would be done and does nothing", async () => {
  const { code, stdout } = await floe(["build", ".#needsBroken", "--dry-run"]);
  assert.is(code, 0);
  assert.equal(
    stdout
      .trimEnd()
      .split("\n")
      .map((line) => line.split(":")[0]),
    ["build broken", "build needs-broken"],
  );
});

test("hooks named by flags and settings run after builds and for differences", async () => {
  const hook = join(directory, "hook");
  writeFileSync(hook, '#!/bin/sh\necho "hooked $OUT_PATHS $#"\n', { mode: 0o755 });
  const flags = ["build", ".#hooked", "--no-link"];
  const config = join(directory, "config");
  mkdirSync(join(config, "floe"), { recursive: true });
  writeFileSync(join(config, "floe/settings.json"), JSON.stringify({ postBuildHook: hook }));
  const env = { XDG_CONFIG_HOME: config };
  const built = await floe([...flags, "--print-out-paths"], { env });
  assert.match(built.stderr, `hooked ${built.stdout.trim()} 0`);
  const without = await floe([...flags, "--rebuild", "--post-build-hook", ""], { env });
  assert.not.match(without.stderr, "hooked /nix");
  const failing = await floe([...flags, "--rebuild", "--post-build-hook", "/nowhere"], { env });
  assert.equal([failing.code, errorLine(failing).includes("[build.hook-failed]")], [100, true]);
  const beside = await floe([...flags, "--rebuild", "--async-post-build-hook"], { env });
  assert.equal([beside.code, /hooked \/nix/.test(beside.stderr)], [0, true], beside.stderr);
  assert.is((await floe(["build", ".#differing", "--no-link"])).code, 0);
  const differing = await floe(["build", ".#differing", "--no-link", "--rebuild", "--diff-hook", "../hook"]);
  assert.equal([differing.code, differing.stderr.includes("hooked  4")], [104, true]);
});

test("a missing package is an error that names the nearest one", async () => {
  const result = await floe(["build", ".#greting"]);
  assert.is(result.code, 1);
  assert.match(errorLine(result), /^error: Cannot find "greting" in the flake: .*\[flake\.attribute-missing\]$/);
  assert.match(result.stderr, 'Did you mean "greeting"?');
});

test("an output that a package does not have is an error", async () => {
  const result = await floe(["build", ".#greeting^doc"]);
  assert.is(result.code, 1);
  assert.is(errorLine(result), 'error: Cannot build output "doc": found the outputs out [installable.no-output]');
});

test("a failing builder ends with 100, its last lines, and a log", async () => {
  const result = await floe(["build", ".#broken"]);
  assert.is(result.code, 100);
  assert.match(errorLine(result), /^error: Cannot build "broken": the builder .*3.* \[build\.failed\]$/);
  assert.match(result.stderr, "> second line");
  assert.match(result.stderr, "floe log");
  const log = await floe(["log", ".#broken"]);
  assert.is(log.stdout, "first line\nsecond line\n");
});

test("the log of what was never built is an error that says so", async () => {
  const result = await floe(["log", ".#slow"]);
  assert.is(result.code, 1);
  assert.match(
    errorLine(result),
    /^error: Cannot show the log of ".*-slow\.drv": it was not built here \[log\.missing\]$/,
  );
});

test("what needs a failed build is not built, and the command ends with 100", async () => {
  const result = await floe(["build", ".#needsBroken", "--keep-going"]);
  assert.is(result.code, 100);
  assert.match(result.stderr, "skipped needs-broken");
});

test("a rebuild that differs ends with 104", async () => {
  assert.is((await floe(["build", ".#differing", "--no-link"])).code, 0);
  const result = await floe(["build", ".#differing", "--no-link", "--rebuild"]);
  assert.is(result.code, 104, result.stderr);
  assert.match(errorLine(result), "[build.not-deterministic]");
});

test("a fetched file is checked, and a wrong hash ends with 102 and both hashes", async () => {
  const fetched = await floe(["build", ".#fetched", "--no-link"]);
  assert.is(fetched.code, 0, fetched.stderr);
  const moved = await floe(["build", ".#moved", "--no-link"]);
  assert.is(moved.code, 0, moved.stderr);
  assert.match(
    moved.stderr,
    /the content of "fetched" was fetched from http:\S+\/hello and is used as it is; http:\S+\/hello-2 is not tried/,
  );
  const result = await floe(["build", ".#mismatch", "--no-link"]);
  assert.is(result.code, 102);
  assert.match(errorLine(result), /^error: Cannot .*mismatch.*\[.*hash-mismatch\]$/);
  assert.match(result.stderr, HELLO);
  assert.match(result.stderr, OTHER);
});

test("a source that cannot be fetched is an error that names its address", async () => {
  const result = await floe(["build", ".#unreachable", "--no-link"]);
  assert.is(result.code, 100);
  assert.match(errorLine(result), /^error: Cannot fetch "http:\/\/127\.0\.0\.1:1\/gone": .*\[fetch\.unreachable\]$/);
});

test("Ctrl-C ends a build with 130 and leaves nothing behind", async () => {
  let interrupted = false;
  const result = await floe(["build", ".#slow", "--verbose"], {
    onStderr: (text, pid) => {
      if (interrupted || !text.includes("has begun")) return;
      interrupted = true;
      process.kill(pid, "SIGINT");
    },
  });
  assert.is(result.code, 130, result.stderr);
  assert.is(errorLine(result), "error: Cannot go on: interrupted [cli.interrupted]");
  assert.equal(
    readdirSync(join(root, "nix/store")).filter((name) => /-slow(?!\.drv)/.test(name)),
    [],
  );
  assert.not.ok(existsSync(join(flake, "result-slow")));
});

test("floe run runs the program of a package; without one it says so", async () => {
  const result = await floe(["run", ".#greeting"]);
  assert.is(result.code, 1);
  assert.match(
    errorLine(result),
    /^error: Cannot run "\.#greeting": ".*-greeting" has no program bin\/greeting \[run\.no-program\]$/,
  );
});

test("floe derivation show prints derivations by their path, with what they need", async () => {
  const { code, stdout } = await floe(["derivation", "show", ".#needsBroken", "-r"]);
  assert.is(code, 0);
  const shown = JSON.parse(stdout) as Record<string, { system: string; inputDrvs: Record<string, string[]> }>;
  const paths = Object.keys(shown);
  assert.equal(paths.map((path) => path.slice(44)).sort(), ["broken.drv", "needs-broken.drv"]);
  const top = paths.find((path) => path.endsWith("-needs-broken.drv")) ?? "";
  assert.is(shown[top]?.system, "x86_64-linux");
  assert.equal(Object.values(shown[top]?.inputDrvs ?? {}), [["out"]]);
});

test.run();
