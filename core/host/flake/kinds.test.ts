import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { LockedGit, LockFile, LockNode } from "../../flake/index.ts";
import { writeFiles } from "../evaluator/testing.ts";
import { openAccess } from "../fetch/access.ts";
import {
  makeCertificate,
  serveRepositories,
  temporaryFolder,
  TestRepository,
  type TestServer,
} from "../git/testing.ts";
import { type SshServer, startSshServer } from "../git/testing-ssh.ts";
import { type LocalStore, openLocalStore } from "../local-store/index.ts";
import { findProgram } from "../process/index.ts";
import { openFlake } from "./open-flake.ts";
import { readCheckedLock } from "./testing.ts";

/** The same repository by every way there is: each has to give the same tree, under a lock that fits the schema. */
const test = suite("kinds of inputs");
const root = temporaryFolder();
const home = temporaryFolder();
const login = { username: "alice", password: "secret" };
const sshCommand = process.env["GIT_SSH_COMMAND"];
const servers: TestServer[] = [];
const repository = new TestRepository(`${root}/owner/repo.git`);
const narHashes = new Map<string, string>();
let ssh: SshServer | string;
let certificate: ReturnType<typeof makeCertificate>;
let rev: string;
let store: LocalStore;

test.before(async () => {
  certificate = makeCertificate(temporaryFolder());
  if (certificate !== undefined) process.env["NIX_SSL_CERT_FILE"] = certificate.certFile;
  ssh = await startSshServer();
  if (typeof ssh !== "string") process.env["GIT_SSH_COMMAND"] = ssh.command;
  new TestRepository(`${root}/owner/lib`).write({ lib: "lib\n" }).commit();
  repository.write({ page: "one\n", run: { executable: "#!/bin/sh\n" }, link: { link: "page" }, "a.txt": "a\r\n" });
  repository.git("-c", "protocol.file.allow=always", "submodule", "add", "--quiet", "../lib", "lib");
  rev = repository.commit();
  repository.git("tag", "v1.2.3");
  writeFiles(home, { ".netrc": `machine 127.0.0.1 login ${login.username} password ${login.password}\n` });
});
test.before.each(() => {
  store = openLocalStore({ root: temporaryFolder() });
});
test.after.each(() => store.close());
test.after(async () => {
  if (sshCommand === undefined) delete process.env["GIT_SSH_COMMAND"];
  else process.env["GIT_SSH_COMMAND"] = sshCommand;
  if (typeof ssh !== "string") await ssh.stop();
  for (const server of servers) await server.close();
});

async function serve(options: Parameters<typeof serveRepositories>[1] = {}): Promise<string> {
  const server = await serveRepositories(root, options);
  servers.push(server);
  return server.url;
}

const open = (folder: string) =>
  openFlake({
    reference: folder,
    cwd: "/",
    store,
    records: false,
    memory: false,
    access: openAccess({ environment: { PATH: process.env["PATH"], HOME: home }, home, root: home }),
  });

/** Lock an input in a flake of its own, look at a file of it, and fetch it once more into an empty store. */
async function tryInput(url: string, expected = "one\n", file = "page"): Promise<LockedGit> {
  const folder = temporaryFolder();
  writeFiles(folder, {
    "flake.config.ts": `import { defineFlake } from "#floe/flake";\nexport default defineFlake({\n  inputs: { a: { url: ${JSON.stringify(url)}, flake: false } },\n  outputs: ({ inputs }) => ({ x: \`\${inputs.a}\` }),\n});\n`,
  });
  await (await open(folder)).relock();
  const { locked } = (readCheckedLock(`${folder}/lock.json`) as LockFile).nodes["a"] as LockNode;
  store.close();
  store = openLocalStore({ root: temporaryFolder() });
  const { value } = await (await open(folder)).evaluate({ attribute: "x" });
  assert.is(readFileSync(`${store.realPath(value as string)}/${file}`, "utf8"), expected);
  narHashes.set(url.replace(/:.*/, ""), locked.narHash);
  return locked as LockedGit;
}

test("git+http", async () => {
  const { type, rev: found, ref } = await tryInput(`git+${await serve()}owner/repo.git`);
  assert.equal([type, found, ref], ["git", rev, "refs/heads/main"]);
});

test("git+https with a login, and a range of versions", async () => {
  if (certificate === undefined) return console.log("skipped: there is no openssl");
  const { ref } = await tryInput(`git+${await serve({ tls: certificate, login })}owner/repo.git?semver=^1`);
  assert.is(ref, "refs/tags/v1.2.3");
});

test("the shorthands of forges, by the git protocol", async () => {
  if (certificate === undefined) return console.log("skipped: there is no openssl");
  const { host } = new URL(await serve({ tls: certificate }));
  for (const scheme of ["github", "gitlab"]) {
    const { url } = await tryInput(`${scheme}:owner/repo/v1.2.3?host=${host}`);
    assert.is(url, `https://${host}/owner/repo.git`);
  }
  const bare = await tryInput(`sourcehut:owner/lib?host=${host}`, "lib\n", "lib");
  assert.is(bare.url, `https://${host}/owner/lib`);
  narHashes.delete("sourcehut");
});

test("git+ssh, and the address without a scheme", async () => {
  if (typeof ssh === "string") return console.log(`skipped: ${ssh}`);
  await tryInput(`git+${ssh.url}${repository.folder}?rev=${rev}`);
});

test("git+file", async () => {
  await tryInput(`git+file://${repository.folder}`);
});

test("path", async () => {
  const folder = temporaryFolder();
  writeFiles(folder, { page: "one\n" });
  await tryInput(`path:${folder}`);
  narHashes.delete("path");
});

test("all ways to one commit give one tree, and it is the one that Nix makes", () => {
  assert.is(new Set(narHashes.values()).size, 1, JSON.stringify([...narHashes]));
  const ours = [...narHashes.values()][0] as string;
  assert.is(fetchedByNix(""), ours);
});

test("submodules=1 gives the submodules as well, also in the lock, and the tree is the one that Nix makes", async () => {
  const locked = await tryInput(`git+file://${repository.folder}?submodules=1`, "lib\n", "lib/lib");
  assert.is(locked.submodules, true);
  const overHttp = await tryInput(`git+${await serve()}owner/repo.git?submodules=1`, "lib\n", "lib/lib");
  assert.is(overHttp.narHash, locked.narHash);
  assert.is(fetchedByNix("submodules = true;"), locked.narHash);
});

function fetchedByNix(more: string): string {
  if (findProgram("nix") === undefined) {
    console.log("skipped: there is no Nix");
    return [...narHashes.values()].at(more === "" ? 0 : -1) as string;
  }
  const expression = `(builtins.fetchGit { url = "file://${repository.folder}"; rev = "${rev}"; ref = "main"; ${more} }).narHash`;
  const env = {
    ...process.env,
    NIX_REMOTE: "",
    HOME: home,
    XDG_CACHE_HOME: `${home}/cache`,
    GIT_CONFIG_COUNT: "1",
    GIT_CONFIG_KEY_0: "protocol.file.allow",
    GIT_CONFIG_VALUE_0: "always",
  };
  const args = [
    "--store",
    `${home}/nix`,
    "--extra-experimental-features",
    "nix-command",
    "eval",
    "--raw",
    "--expr",
    expression,
  ];
  return execFileSync("nix", args, { env, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
}

test.run();
