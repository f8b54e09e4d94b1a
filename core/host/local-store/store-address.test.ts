import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { layerDirectories, layoutOf, makeLayout } from "./index.ts";
import { overlayAt } from "./overlay-mount.ts";

const test = suite<{ folder: string }>("store addresses");
test.before.each((context) => {
  context.folder = mkdtempSync(join(tmpdir(), "floe-address-"));
});
test.after.each(({ folder }) => rmSync(folder, { recursive: true }));

const fails =
  (code: string) =>
  (error: { code?: string }): boolean =>
    error.code === code;

test("layoutOf() reads directories and local addresses alike", () => {
  assert.equal(layoutOf("/srv/x"), makeLayout("/srv/x"));
  assert.equal(layoutOf("local?root=/srv/x"), makeLayout("/srv/x"));
  assert.equal(layoutOf("local:///srv/x"), makeLayout("/srv/x"));
  assert.equal(layoutOf("local?root=x", { cwd: "/srv" }), makeLayout("/srv/x"));
  assert.equal(layoutOf("x", { cwd: "/srv" }), makeLayout("/srv/x"));
  assert.is(layoutOf("local?root=/srv/a%20b").root, "/srv/a b");
  assert.equal(layoutOf(layoutOf("/srv/x")), makeLayout("/srv/x"));
  const apart = layoutOf("local?root=/srv/x&real=/objects&state=/state&log=/logs&trusted=1");
  assert.equal(
    [apart.realStoreDirectory, apart.stateDirectory, apart.logDirectory, apart.immutable],
    ["/objects", "/state", "/logs", false],
  );
  for (const text of ["/srv/x?read-only=true", "local?root=/srv/x&read-only=1"])
    assert.equal(layoutOf(text), {
      ...makeLayout("/srv/x"),
      immutable: true,
      address: "local?root=%2Fsrv%2Fx&read-only=true",
    });
});

test("the address of a layout means the same layout", ({ folder }) => {
  const lower = encodeURIComponent(`local?root=${folder}/a b&read-only=true`);
  for (const text of [
    "/",
    "/srv/x",
    "local?root=/srv/x&real=/objects&state=/s&log=/l&read-only=true",
    `local-overlay://?root=${folder}/m&lower-store=${lower}&upper-layer=${folder}/upper`,
    `local-overlay://?root=${folder}/m&lower-store=${lower}&upper-layer=${folder}/upper&check-mount=false`,
  ]) {
    const layout = layoutOf(text);
    assert.equal(layoutOf(layout.address), layout, text);
  }
  // Another root is meant where none is named by a user of no privileges.
  assert.is(layoutOf("local?root=/&read-only=true").address, "local?root=%2F&read-only=true");
});

test("an overlay store without a mount writes to its upper layer and looks into both", ({ folder }) => {
  const layout = layoutOf(`local-overlay://?root=${folder}/m&lower-store=${folder}/l&upper-layer=${folder}/u`);
  assert.is(layout.realStoreDirectory, `${folder}/u`);
  assert.is(layout.stateDirectory, `${folder}/m/nix/var/nix`);
  assert.equal(layerDirectories(layout), [`${folder}/u`, `${folder}/l/nix/store`]);
  const upon = `local-overlay://?root=${folder}/n&upper-layer=${folder}/v&lower-store=${encodeURIComponent(layout.address)}`;
  assert.equal(layerDirectories(layoutOf(upon)), [`${folder}/v`, `${folder}/u`, `${folder}/l/nix/store`]);
  const counted = layoutOf(
    `local-overlay://?root=${folder}/m&lower-store=${folder}/l&upper-layer=${folder}/u&check-mount=false`,
  );
  assert.equal([counted.realStoreDirectory, counted.ownDirectory], [`${folder}/m/nix/store`, `${folder}/u`]);
});

test("addresses that mean no store of this machine are refused", ({ folder }) => {
  const refused = (code: string, text: string): void => assert.throws(() => layoutOf(text), fails(code), text);
  refused("store-url.not-local", "daemon");
  refused("store-url.not-local", "unix:///run/socket");
  refused("store-url.not-local", "https://cache.example");
  refused("store-url.unknown-parameter", "local?root=/x&readonly=true");
  refused("store-url.unknown-parameter", "local?upper-layer=/x");
  refused("store-url.malformed", "local?root=/x&read-only=perhaps");
  refused("store-url.malformed", "local?store=/other/store");
  refused("store-url.malformed", "local-overlay://?root=/x");
  refused("store-url.malformed", "local-overlay://?root=/x&lower-store=/y");
  refused("store-url.malformed", `local-overlay://?root=${folder}&lower-store=${folder}&upper-layer=${folder}/u`);
  refused(
    "store-url.malformed",
    `local-overlay://?root=${folder}/m&lower-store=${folder}/l&upper-layer=${folder}/l/nix/store`,
  );
  refused("store-url.not-local", "local-overlay://?root=/x&upper-layer=/y&lower-store=ssh%3A%2F%2Fhost");
});

test("a mount that was asked for and is not there is missed, and so is one over files of no layer", ({ folder }) => {
  const address = `local-overlay://?root=${folder}/m&lower-store=${folder}/l&upper-layer=${folder}/u`;
  assert.throws(() => layoutOf(`${address}&check-mount=true`), /mount -t overlay|no overlay is mounted/);
  assert.throws(() => layoutOf(`${address}&check-mount=true`), fails("store.overlay-not-mounted"));
  mkdirSync(`${folder}/m/nix/store`, { recursive: true });
  layoutOf(address);
  writeFileSync(`${folder}/m/nix/store/file`, "");
  assert.throws(() => layoutOf(address), fails("store.overlay-not-mounted"));
});

test("overlayAt() reads what the kernel says of mounts", () => {
  const mounts = `proc /proc proc rw 0 0
overlay /a overlay rw,relatime,lowerdir=/one,upperdir=/up,workdir=/work 0 0
overlay /a overlay rw,lowerdir=/l\\0401\\134:x:/l2,upperdir=/u\\054p,workdir=/work 0 0
overlay /b\\040c overlay ro,lowerdir+=/l1,lowerdir+=/l2:3 0 0
overlay /d overlay rw,lowerdir=/one,upperdir=/up,workdir=/work 0 0
tmpfs /d tmpfs rw 0 0
`;
  assert.equal(overlayAt(mounts, "/a"), { lowerDirectories: ["/l 1:x", "/l2"], upperDirectory: "/u,p" });
  assert.equal(overlayAt(mounts, "/b c"), { lowerDirectories: ["/l1", "/l2:3"], upperDirectory: undefined });
  assert.is(overlayAt(mounts, "/d"), undefined);
  assert.is(overlayAt(mounts, "/proc"), undefined);
  assert.is(overlayAt(mounts, "/absent"), undefined);
});

test.run();
