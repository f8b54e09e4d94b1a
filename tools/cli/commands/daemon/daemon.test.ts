import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { findBusybox } from "../../../../core/host/builder/testdata/busybox.ts";
import { openLocalStore } from "../../../../core/host/local-store/index.ts";
import type { StorePath } from "../../../../core/store/index.ts";
import { floeCommand, runFloe, temporaryDirectory } from "../../testing.ts";

/** Real Nix is our client, and the server of ours. */
const test = suite("daemon and serve, with real Nix");
const present = spawnSync("nix-store", ["--version"]).status === 0;
const referee = present ? test : test.skip;
if (!present) console.log("skipped: nix-store is not on the PATH, so real Nix cannot be asked");
const busybox = present ? await findBusybox() : "nobody asks";
const builds = typeof busybox === "string" ? test.skip : referee;
if (typeof busybox === "string" && present) console.log(`builds are skipped: ${busybox}`);

const directory = temporaryDirectory();
const ours = join(directory, "ours");
const theirs = join(directory, "theirs");
const bin = join(directory, "bin");
mkdirSync(bin);

// ssh as far as it matters to what is said over it: the command runs here.
program("ssh", [
  "while :; do",
  '  case "${1-}" in -o | -i | -p | -l | -S | -F) shift 2 ;; -*) shift ;; *) break ;; esac',
  "done",
  "shift",
  'while [ "${1-}" = -x ] || [ "${1-}" = -a ] || [ "${1-}" = -- ]; do shift; done',
  'exec sh -c "$*"',
]);
program("floe", [`exec ${process.execPath} ${floeCommand().join(" ")} "$@"`]);

function program(name: string, lines: readonly string[]): void {
  writeFileSync(join(bin, name), ["#!/bin/sh", ...lines, ""].join("\n"), { mode: 0o755 });
}

const environment = {
  ...process.env,
  PATH: `${bin}:${process.env["PATH"]}`,
  NIX_CONFIG: "experimental-features = nix-command\nsubstitute = false\nbuild-users-group =",
  NIX_SSHOPTS: "",
  XDG_CACHE_HOME: join(directory, "cache"),
  HOME: directory,
};

interface NixResult {
  readonly status: number;
  readonly out: string[];
  readonly said: string;
}

function tryNix(remote: string, name: string, ...args: string[]): Promise<NixResult> {
  const child = spawn(name, args, { env: { ...environment, NIX_REMOTE: remote }, stdio: ["ignore", "pipe", "pipe"] });
  let out = "";
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  return new Promise((resolve) => {
    child.on("close", (status) =>
      resolve({ status: status ?? -1, out: out.split("\n").filter((line) => line !== ""), said }),
    );
  });
}

async function nix(remote: string, name: string, ...args: string[]): Promise<string[]> {
  const { status, out, said } = await tryNix(remote, name, ...args);
  assert.is(status, 0, `${name} ${args.join(" ")}: ${said}`);
  return out;
}

/** A store that Nix wrote, with a derivation, what it needs, and one that fails. */
async function makeTheirs(): Promise<{ all: string[]; drv: string; failing: string }> {
  const files = join(directory, "files");
  if (!existsSync(files)) {
    mkdirSync(join(files, "bb/bin"), { recursive: true });
    if (typeof busybox !== "string") copyFileSync(busybox.program, join(files, "bb/bin/busybox"));
    else writeFileSync(join(files, "bb/bin/busybox"), "");
    chmodSync(join(files, "bb/bin/busybox"), 0o755);
    symlinkSync("busybox", join(files, "bb/bin/sh"));
    writeFileSync(
      join(files, "default.nix"),
      `let
        bb = builtins.path { name = "bb"; path = ./bb; };
        make = name: script: extra: derivation ({
          inherit name; system = "x86_64-linux"; builder = "\${bb}/bin/sh"; args = [ "-c" script ];
        } // extra);
        text = builtins.toFile "text" "from a file\\n";
        low = make "low" "echo making low; read line < \${text}; echo $line > $out; echo $line > $dev" { outputs = [ "out" "dev" ]; };
      in {
        good = make "good" "echo making good; read line < \${low}; echo good $line \${low.dev} > $out" { };
        floating = make "floating" "read line < \${text}; echo $line $out > $out" {
          __contentAddressed = true; outputHashMode = "recursive"; outputHashAlgo = "sha256";
        };
        failing = make "failing" "echo about to fail; exit 3" { };
      }`,
    );
  }
  const local = theirs;
  const [drv] = (await nix(local, "nix-instantiate", join(files, "default.nix"), "-A", "good")) as [string];
  const [failing] = (await nix(local, "nix-instantiate", join(files, "default.nix"), "-A", "failing")) as [string];
  return { drv, failing, all: (await nix(local, "nix-store", "-qR", drv, failing)).sort() };
}

interface Daemon {
  readonly remote: string;
  stop(): Promise<void>;
}

async function startDaemon(root: string): Promise<Daemon> {
  const socket = join(root, "nix/var/nix/daemon-socket/socket");
  const child: ChildProcess = spawn(join(bin, "floe"), ["daemon", "--store", root], {
    env: environment,
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const ended = new Promise<void>((resolve) => void child.once("close", () => resolve()));
  while (!said.includes("listening") && child.exitCode === null)
    await new Promise((resolve) => setTimeout(resolve, 20));
  assert.is(child.exitCode, null, said);
  return {
    remote: `unix://${socket}?root=${root}`,
    async stop() {
      child.kill("SIGTERM");
      await ended;
      assert.not.ok(existsSync(socket), "the socket is left");
    },
  };
}

const sshTo = (program: string, root: string): string =>
  `h?remote-program=${encodeURIComponent(program)}&remote-store=${root}`;

for (const [scheme, command] of [
  ["ssh", "floe store serve"],
  ["ssh-ng", "floe daemon"],
] as const) {
  referee(`nix copy goes to our store and back by ${scheme}://`, async () => {
    const { all, drv, failing } = await makeTheirs();
    const root = join(directory, `by-${scheme}`);
    const there = `${scheme}://${sshTo(command, root)}`;
    await nix(theirs, "nix", "copy", "--no-check-sigs", "--derivation", "--to", there, drv, failing);
    await nix(root, "nix-store", "--verify", "--check-contents");
    assert.equal((await nix(root, "nix-store", "-qR", drv, failing)).sort(), all);
    // Nix 2.8 cannot ask a store by ssh:// about derivations.
    const files = all.filter((path) => !path.endsWith(".drv"));
    assert.equal((await nix("", "nix", "path-info", "--store", there, "-r", ...files)).sort(), files);
    const back = join(directory, `back-${scheme}`);
    await nix(back, "nix", "copy", "--no-check-sigs", "--from", there, ...files);
    await nix(back, "nix-store", "--verify", "--check-contents");
    assert.equal((await nix(back, "nix", "path-info", "--all")).sort(), files);
  });
}

referee("without --write our server adds nothing", async () => {
  const { drv } = await makeTheirs();
  const root = join(directory, "closed");
  openLocalStore({ root }).close();
  // A word of our own swallows the flag that Nix adds.
  program("read-only", [`exec floe store serve --store ${root}`]);
  const there = "ssh://h?remote-program=read-only";
  const refused = await tryNix(theirs, "nix", "copy", "--no-check-sigs", "--derivation", "--to", there, drv);
  assert.is.not(refused.status, 0);
  assert.match(refused.said, "the client may only read");
  assert.equal(await nix("", "nix", "path-info", "--store", there, "--all").catch(() => []), []);
});

builds("nix-build, nix build and their like go through our daemon", async () => {
  const { drv, failing, all } = await makeTheirs();
  const daemon = await startDaemon(ours);
  const { remote } = daemon;
  try {
    await nix(theirs, "nix", "copy", "--no-check-sigs", "--derivation", "--to", remote, drv, failing);
    assert.equal((await nix(remote, "nix-store", "-qR", drv, failing)).sort(), all);
    const planned = await tryNix(remote, "nix-store", "-r", "--dry-run", drv);
    assert.match(planned.said, /will be built:\s+.*-low\.drv\s+.*-good\.drv/);
    const built = await tryNix(remote, "nix-build", "--no-out-link", drv);
    assert.is(built.status, 0, built.said);
    assert.match(built.said, "making good");
    const [out] = built.out as [StorePath];
    assert.match(readFileSync(`${ours}${out}`, "utf8"), /^good from a file \/nix\/store\/.*-low-dev\n$/);
    const [shown] = JSON.parse((await nix(remote, "nix", "build", "--no-link", "--json", drv)).join("")) as [
      { outputs: { out: string } },
    ];
    assert.is(shown.outputs.out, out);
    assert.is((await tryNix(remote, "nix-build", "--no-out-link", "--check", drv)).status, 0);
    const [low] = (await nix(remote, "nix-store", "-q", "--references", out)) as [string];
    assert.equal(await nix(remote, "nix-store", "-q", "--referrers", low), [out]);
    assert.equal(await nix(remote, "nix-store", "-q", "--deriver", out), [drv]);
    assert.equal(await nix(remote, "nix-store", "-q", "--outputs", drv), [out]);
    const failed = await tryNix(remote, "nix-build", "--no-out-link", failing);
    assert.is.not(failed.status, 0);
    assert.match(failed.said, "about to fail");
    assert.match(failed.said, "exit code 3");

    const file = join(directory, "added");
    writeFileSync(file, "added");
    const [added] = (await nix(remote, "nix-store", "--add", file)) as [string];
    assert.equal(await nix(join(directory, "elsewhere"), "nix-store", "--add", file), [added]);
    const [fixed] = (await nix(remote, "nix-store", "--add-fixed", "--recursive", "sha1", file)) as [string];
    assert.equal(await nix(join(directory, "elsewhere"), "nix-store", "--add-fixed", "--recursive", "sha1", file), [
      fixed,
    ]);
    const link = join(directory, "result");
    await nix(remote, "nix-store", "-r", "--add-root", link, out);
    assert.ok((await nix(remote, "nix-store", "--gc", "--print-roots")).includes(`${link} -> ${out}`));
    // The client that added it is gone, and nothing keeps it.
    assert.ok((await nix(remote, "nix-store", "--gc", "--print-dead")).includes(added));
    await nix(remote, "nix-store", "--delete", added);
    assert.is((await tryNix(remote, "nix-store", "--delete", out)).status, 1);
    await nix(remote, "nix-store", "--gc");
    assert.ok((await nix(remote, "nix", "path-info", "--all")).includes(out));
    assert.is((await tryNix(remote, "nix-store", "-q", "--hash", fixed)).status, 1);
  } finally {
    await daemon.stop();
  }
  await nix(ours, "nix-store", "--verify", "--check-contents");
});

builds("outputs whose paths the build decides are built and told by our daemon", async () => {
  await makeTheirs();
  const root = join(directory, "floating");
  const daemon = await startDaemon(root);
  const config = environment.NIX_CONFIG;
  environment.NIX_CONFIG = config.replace("nix-command", "nix-command ca-derivations");
  try {
    const { remote } = daemon;
    const [drv] = (await nix(remote, "nix-instantiate", join(directory, "files/default.nix"), "-A", "floating")) as [
      string,
    ];
    const [out] = (await nix(remote, "nix-build", "--no-out-link", drv)) as [string];
    const [known] = JSON.parse((await nix(remote, "nix", "realisation", "info", "--json", drv)).join("")) as [
      { outPath: string },
    ];
    assert.is(`/nix/store/${known.outPath}`, out);
    assert.equal(await nix(remote, "nix-build", "--no-out-link", drv), [out]);
    assert.equal(await nix(remote, "nix-store", "-q", "--references", out), [out]);
    assert.is(readFileSync(`${root}${out}`, "utf8"), `from a file ${out}\n`);
  } finally {
    environment.NIX_CONFIG = config;
    await daemon.stop();
  }
  await nix(root, "nix-store", "--verify", "--check-contents");
});

referee("our commands copy to and from stores that Nix serves", async () => {
  const { all, drv, failing } = await makeTheirs();
  program("nix-here", [`NIX_REMOTE= exec nix-store "$@"`]);
  program("nix-daemon-here", ['while [ "$1" != --store ]; do shift; done', 'NIX_REMOTE="$2" exec nix-daemon --stdio']);
  for (const [name, address] of [
    ["serve", `ssh://h?remote-program=nix-here&remote-store=${theirs}`],
    ["daemon", `ssh-ng://h?remote-program=nix-daemon-here&remote-store=${theirs}`],
  ] as const) {
    const root = join(directory, `from-${name}`);
    const flags = ["--store", root, "--no-check-sigs"];
    const fetched = await runFloe(["store", "copy", "--derivation", "--from", address, ...flags, drv, failing], {
      env: environment,
    });
    assert.is(fetched.code, 0, fetched.stderr);
    const store = openLocalStore({ root, readOnly: true });
    assert.equal(store.allPaths(), all);
    store.close();
    await nix(root, "nix-store", "--verify", "--check-contents");
    // And there again, in a store of Nix that has nothing.
    const back = join(directory, `nix-${name}`);
    const target = address.replace(theirs, back);
    const sent = await runFloe(["store", "copy", "--derivation", "--to", target, "--store", root, drv, failing], {
      env: environment,
    });
    assert.is(sent.code, 0, sent.stderr);
    await nix(back, "nix-store", "--verify", "--check-contents");
    assert.equal((await nix(back, "nix-store", "-qR", drv, failing)).sort(), all);
  }
});

test.run();
