import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { formatHash, parseHash } from "../../../../core/base/index.ts";
import { runFloe, temporaryDirectory } from "../../testing.ts";

const directory = temporaryDirectory();
const store = ["--store", join(directory, "root")];
const file = join(directory, "foo");
writeFileSync(file, "bar");

// Nix 2.8: printf bar > foo; nix-store --add foo
const FOO = "/nix/store/dxwkwjzdaq7ka55pkk252gh32bgpmql4-foo";

test("floe store add prints the path that Nix would give", async () => {
  const { code, stdout, stderr } = await runFloe(["store", "add", ...store, file]);
  assert.is(code, 0, stderr);
  assert.is(stdout, `${FOO}\n`);
});

test("floe store info shows what is recorded", async () => {
  const { stdout } = await runFloe(["store", "info", ...store, "--json", `${FOO}/inside`]);
  const [info] = JSON.parse(stdout) as {
    path: string;
    narSize: number;
    narHash: string;
    references: string[];
    ca: string;
  }[];
  assert.is(info?.path, FOO);
  // Nix 2.8: nix path-info --json
  assert.is(info?.narSize, 120);
  assert.equal(info?.references, []);
  assert.match(info?.ca ?? "", /^fixed:r:sha256:/);
  const shown = await runFloe(["store", "info", ...store, FOO]);
  assert.match(shown.stdout, "size        120 B (120 bytes)");
});

test("a link to an object means the object, one link after another", async () => {
  symlinkSync(FOO, join(directory, "result"));
  symlinkSync("result", join(directory, "profile"));
  for (const link of ["./result", "./profile", `${directory}/profile`]) {
    const { stdout, stderr } = await runFloe(["store", "query", "--requisites", ...store, link], { cwd: directory });
    assert.is(stdout, `${FOO}\n`, stderr);
  }
  const built = await runFloe(["build", ...store, "./profile", "--print-out-paths", "--no-link"], { cwd: directory });
  assert.is(built.stdout, `${FOO}\n`, built.stderr);
  const { code, stderr } = await runFloe(["store", "info", ...store, "./root"], { cwd: directory });
  assert.is(code, 1);
  assert.match(stderr, "store-path.outside");
});

test("floe store query tells how objects are connected", async () => {
  assert.is((await runFloe(["store", "query", "--requisites", ...store, FOO])).stdout, `${FOO}\n`);
  assert.is((await runFloe(["store", "query", "--references", ...store, FOO])).stdout, "");
  assert.is((await runFloe(["store", "query", "--referrers", ...store, "--json", FOO])).stdout, "[]\n");
});

test("a path that the store does not have is an error", async () => {
  const other = FOO.replace(/-foo$/, "-bar");
  const { code, stderr } = await runFloe(["store", "info", ...store, other]);
  assert.is(code, 1);
  assert.is(stderr.split("\n")[0], `error: Cannot look at "${other}": it is not in the store [store.not-valid]`);
});

test("floe store verify finds an object that was changed", async () => {
  assert.is((await runFloe(["store", "verify", ...store])).code, 0);
  const real = join(directory, "root", FOO);
  chmodSync(real, 0o644);
  writeFileSync(real, "baz");
  const { code, stderr } = await runFloe(["store", "verify", ...store]);
  assert.is(code, 1);
  assert.is(stderr.split("\n")[0], "error: Cannot vouch for the store: 1 of 1 objects are damaged [store.damaged]");
  assert.is((await runFloe(["store", "verify", ...store, "--no-contents"])).code, 0);
});

test("floe store recover makes a lost database anew", async () => {
  rmSync(join(directory, "root/nix/var/nix/db/db.sqlite"));
  const lost = await runFloe(["store", "info", ...store, FOO]);
  assert.is(lost.code, 1);
  assert.match(lost.stderr, "[store.database-lost]");
  const { code, stdout, stderr } = await runFloe(["store", "recover", ...store]);
  assert.is(code, 0, stderr);
  // The test before has changed it.
  assert.match(stdout, `${FOO}: its contents are not what was registered`);
  assert.match(stderr, "1 store objects are no longer valid");
  await runFloe(["store", "add", ...store, file]);
  const unread = await runFloe(["store", "recover", ...store, "--force", "--no-contents", "--json"]);
  assert.equal((JSON.parse(unread.stdout) as { recovered: unknown }).recovered, { journal: 1, database: 0, files: 0 });
  const again = await runFloe(["store", "recover", ...store, "--force", "--json"]);
  assert.equal((JSON.parse(again.stdout) as { recovered: unknown }).recovered, { journal: 1, database: 0, files: 0 });
});

test("floe store add takes other addresses, with references", async () => {
  const store = ["--store", join(directory, "addresses")];
  const add = async (...words: string[]): Promise<string> => {
    const { code, stdout, stderr } = await runFloe(["store", "add", ...store, ...words, file]);
    assert.is(code, 0, stderr);
    return stdout.trim();
  };
  // Nix 2.8: nix-store --add-fixed sha1 foo; nix-store --add-fixed --recursive sha512 foo
  assert.is(await add("--mode", "flat", "--hash-algo", "sha1"), "/nix/store/xw97k337gykargrvkpr1pxbrlb62byp8-foo");
  assert.is(await add("--flat", "--hash-algo", "sha1", "--dry-run"), "/nix/store/xw97k337gykargrvkpr1pxbrlb62byp8-foo");
  assert.is(await add("--hash-algo", "sha512"), "/nix/store/2br226zr0hk5spnw54v7hmxd80692ph3-foo");
  // Nix 2.8: nix-instantiate --eval -E 'builtins.toFile "foo" "bar"'
  const text = await add("--mode", "text");
  assert.is(text, "/nix/store/vxjiwkjkn7x4079qvh1jkl5pn05j2aw0-foo");
  // git 2.39: git hash-object; its digest stands in the facts of the object.
  const blob = await add("--mode", "git", "--hash-algo", "sha1");
  assert.is(await add("--mode", "git", "--hash-algo", "sha1", "--dry-run"), blob);
  const { stdout: facts } = await runFloe(["store", "info", "--json", ...store, blob]);
  assert.match(facts, formatHash(parseHash("sha1:ba0e162e1c47469e3fe4b393a8bf8c569f302116"), "base32"));
  const needy = await add("--reference", text, "--name", "needs-foo");
  assert.is((await runFloe(["store", "query", "--references", ...store, needy])).stdout, `${text}\n`);
});

test("an address is no store directory", async () => {
  const { code, stderr } = await runFloe(["store", "add", "--store", "https://cache.example", file]);
  assert.is(code, 64);
  assert.match(stderr, /^error: Cannot read "https:\/\/cache\.example" for "store": Cannot use/);
});

test("a store that cannot be written is an error that says so", async () => {
  const taken = join(directory, "taken");
  mkdirSync(taken);
  writeFileSync(join(taken, "nix"), "a file where the store should be");
  const { code, stderr } = await runFloe(["store", "add", "--store", taken, file]);
  assert.is(code, 1);
  assert.match(stderr, "[store.not-writable]");
});

test.run();
