import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { serveDirectory } from "../../../../core/host/binary-cache/testing.ts";
import { openLocalStore } from "../../../../core/host/local-store/index.ts";
import { storePathDigest } from "../../../../core/store/index.ts";
import { floeCommand, runFloe, temporaryDirectory } from "../../testing.ts";

/** `info`, `query`, `why-depends`, `diff-closures`, `ping` and `verify` ask stores behind addresses what they ask a directory. */
const directory = temporaryDirectory();
const root = join(directory, "root");
const empty = ["--store", join(directory, "empty")];
const store = openLocalStore({ root });
const lib = store.addText("lib", "library", []);
const mid = store.addText("mid", `see ${lib}`, [lib]);
const app = store.addText("app", `see ${mid} and ${lib}`, [lib, mid]);
store.close();

// ssh as far as it matters here: the command runs on this machine.
const bin = join(directory, "bin");
mkdirSync(bin);
const script = (name: string, text: string): void =>
  writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
script("ssh", 'while [ "$1" != -- ]; do shift; done; shift 2; exec sh -c "$*"');
script("floe", `exec ${process.execPath} ${floeCommand().join(" ")} "$@"`);
const env = { PATH: `${bin}:${process.env["PATH"]}`, XDG_CACHE_HOME: join(directory, "cache-home") };

const cache = join(directory, "cache");
const pushed = await runFloe(["copy", "--store", root, "--to", `file://${cache}`, app], { env });
assert.is(pushed.code, 0, pushed.stderr);
const server = await serveDirectory(cache);
const daemon = spawn(join(bin, "floe"), ["daemon", "--store", root], {
  env: { ...process.env, ...env },
  stdio: ["ignore", "ignore", "pipe"],
});
let said = "";
daemon.stderr.setEncoding("utf8").on("data", (text: string) => {
  said += text;
});
for (
  const deadline = Date.now() + 20_000;
  !said.includes("listening");
  await new Promise((resolve) => setTimeout(resolve, 20))
)
  if (Date.now() > deadline || daemon.exitCode !== null) throw new Error(`the daemon does not listen: ${said}`);
test.after(async () => {
  daemon.kill();
  await server.close();
});

const unix = `unix://${join(root, "nix/var/nix/daemon-socket/socket")}`;
const ssh = `ssh://h?remote-store=${root}`;
const addresses = [`file://${cache}`, server.url, unix, ssh, `ssh-ng://h?remote-store=${root}`];
const ask = async (words: readonly string[], from: string): Promise<string> => {
  const { code, stdout, stderr } = await runFloe([...words, "--store", from], { env });
  assert.is(code, 0, `${words.join(" ")} of ${from}: ${stderr}`);
  return stdout;
};
const refuses = async (code: string, words: readonly string[], from: string): Promise<void> => {
  const result = await runFloe([...words, "--store", from], { env });
  assert.is(result.code, 1);
  assert.match(result.stderr, `[${code}]`);
};

const QUESTIONS = [
  ["info", "-rsS", app],
  ["query", "--references", mid],
  ["query", "--tree", app],
  ["why-depends", "--all", "--precise", app, lib],
  ["diff-closures", "--json", lib, app],
];
const answers = await Promise.all(QUESTIONS.map((words) => ask(["store", ...words], root)));

for (const address of addresses) {
  const kind = address.slice(0, address.indexOf(":"));

  test(`floe store info and query ask a store behind ${kind}`, async () => {
    for (const [index, words] of QUESTIONS.entries())
      assert.is(await ask(["store", ...words], address), answers[index], words.join(" "));
  });

  test(`floe store ping says who answers behind ${kind}`, async () => {
    const facts = JSON.parse(await ask(["store", "ping", "--json"], address)) as Record<string, unknown>;
    // Parameters may be secrets.
    assert.is(facts["url"], address.replace(/\?.*/, ""));
    const isDaemon = address === unix || kind === "ssh-ng";
    assert.equal([typeof facts["version"], facts["trusted"]], isDaemon ? ["string", true] : ["undefined", undefined]);
    await refuses("store.no-dependency", ["store", "why-depends", lib, app], address);
  });

  test(`floe store verify looks at objects of a store behind ${kind}`, async () => {
    const { code, stderr } = await runFloe(["store", "verify", "--store", address, app, lib], { env });
    assert.equal([code, stderr.includes("2 store objects are as they were registered")], [0, true], stderr);
    await refuses("store.not-valid", ["store", "verify", `/nix/store/${"0".repeat(32)}-none`], address);
  });
}

test("questions that only some stores answer are asked of those, and refused by the others", async () => {
  const referrers = ["store", "query", "--referrers-closure", lib];
  assert.is(await ask(referrers, unix), await ask(referrers, root));
  assert.is(
    await ask(["store", "query", "--referrers", lib], unix),
    await ask(["store", "query", "--referrers", lib], root),
  );
  for (const address of [`file://${cache}`, ssh]) await refuses("store.cannot-answer", referrers, address);
  const resolve = ["store", "query", "--resolve", storePathDigest(mid)];
  for (const address of [`file://${cache}`, unix]) assert.is(await ask(resolve, address), `${mid}\n`);
  for (const question of [["--roots"], ["--valid-derivers"], ["-R", "--include-outputs"]])
    await refuses("store.cannot-answer", ["store", "query", ...question, app], unix);
});

test("a store behind an address is neither listed nor repaired", async () => {
  for (const words of [[], ["--all"], ["--repair", app]])
    await refuses("cli.conflicting-flags", ["store", "verify", ...words], unix);
});

test("a cache that lies is told, with the sum of bits as exit code", async () => {
  server.hook = (request, response) => {
    if (!request.url?.includes("/nar/")) return false;
    response.end("no archive");
    return true;
  };
  const result = await runFloe(["store", "verify", "--json", app, "--store", server.url], { env });
  server.hook = undefined;
  assert.is(result.code, 1);
  assert.is((JSON.parse(result.stdout) as { faults: { kind: string }[] }).faults[0]?.kind, "damaged");
});

test("other commands take stores of this machine alone", async () => {
  assert.match(
    (await runFloe(["store", "gc", "--dry-run", "--store", unix], { env })).stderr,
    "expected a store of this machine",
  );
  assert.is((await runFloe(["store", "query", "--references", app, ...empty], { env })).code, 1);
});

test.run();
