import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { formatBootSpec } from "../../system/switch/index.ts";
import { type BootMenuOptions, writeBootMenu } from "./boot-menu.ts";

const root = mkdtempSync(join(tmpdir(), "floe-boot-"));
test.after(() => rmSync(root, { recursive: true }));

function write(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

for (const name of ["one", "two"]) {
  write(
    `nix/store/${name}/etc/floe/boot-loader.json`,
    '{"enable":true,"copyKernels":true,"limit":9,"timeoutSeconds":0}',
  );
  write(`nix/store/${name}-linux/bzImage`, `kernel ${name}`);
  write(
    `nix/store/${name}/boot.json`,
    formatBootSpec({
      kernel: `/nix/store/${name}-linux/bzImage`,
      initrd: "/nix/store/one-linux/bzImage",
      init: `/nix/store/${name}/init`,
      kernelParams: [],
      label: name,
      system: "x86_64-linux",
      toplevel: `/nix/store/${name}`,
    }),
  );
}
const generation = (number: number, name: string) => ({
  number,
  target: `/nix/store/${name}`,
  date: new Date(0),
  current: number === 2,
});
const boot = join(root, "boot");
mkdirSync(boot);

/** Bring the menu in line with generation 1 alone, while this much of /boot is free. */
function writeOne(freeBytes: number): void {
  writeBootMenu({
    boot,
    generations: [generation(1, "one")],
    defaultGeneration: 1,
    root,
    say: () => {},
    space: () => ({ freeBytes, blockBytes: 1 }),
  });
}

test("boot.no-space: the need is known before anything is written", () => {
  assert.throws(
    () => writeOne(5),
    (error: { code: string; message: string }) =>
      error.code === "boot.no-space" && /found 5 bytes free/.test(error.message),
  );
  assert.equal(readdirSync(join(boot, "loader/entries")), []);
});

test("boot.no-space: files take whole clusters, and so do their folders", () => {
  const blockBytes = 16 * 1024;
  const empty = join(root, "empty-boot");
  mkdirSync(empty);
  const writeTo = (clusters: number): void =>
    writeBootMenu({
      boot: empty,
      generations: [generation(1, "one")],
      defaultGeneration: 1,
      root,
      say: () => {},
      space: () => ({ freeBytes: clusters * blockBytes, blockBytes }),
    });
  // A kernel that is the initrd as well, an entry and loader.conf, in EFI/floe, EFI, loader/entries and loader.
  assert.throws(
    () => writeTo(6),
    (error: { code: string; message: string }) =>
      error.code === "boot.no-space" && error.message.includes(`expected ${7 * blockBytes} `),
  );
  writeTo(7);
  // Nothing is new.
  writeTo(0);
});

test("writeBootMenu() copies kernels, writes entries, and a broken generation does not block the others", () => {
  const said: string[] = [];
  const generations = [generation(1, "one"), generation(2, "two"), generation(3, "gone")];
  writeBootMenu({ boot, generations, defaultGeneration: 2, root, say: (line) => said.push(line) });
  assert.equal(said, ["generation 3 has no boot description and gets no boot entry"]);
  assert.equal(readdirSync(join(boot, "loader/entries")).sort(), ["floe-generation-1.conf", "floe-generation-2.conf"]);
  assert.equal(readdirSync(join(boot, "EFI/floe")).sort(), ["one-linux-bzImage.efi", "two-linux-bzImage.efi"]);
  assert.is(readFileSync(join(boot, "EFI/floe/two-linux-bzImage.efi"), "utf8"), "kernel two");
  assert.match(readFileSync(join(boot, "loader/loader.conf"), "utf8"), /default floe-generation-2\.conf/);
});

/** Generation 4, whose description names a kernel that is not there. */
function addGenerationWithoutKernel(): ReturnType<typeof generation> {
  const spec = readFileSync(join(root, "nix/store/one/boot.json"), "utf8");
  write("nix/store/bare/boot.json", spec.replaceAll("/nix/store/one-linux", "/nix/store/lost-linux"));
  write(
    "nix/store/bare/etc/floe/boot-loader.json",
    readFileSync(join(root, "nix/store/one/etc/floe/boot-loader.json"), "utf8"),
  );
  return generation(4, "bare");
}

test("writeBootMenu() passes over a generation whose kernel is gone", () => {
  const said: string[] = [];
  const generations = [generation(2, "two"), addGenerationWithoutKernel()];
  writeBootMenu({ boot, generations, defaultGeneration: 2, root, say: (line) => said.push(line) });
  assert.equal(said, ['generation 4 has no file "/nix/store/lost-linux/bzImage" and gets no boot entry']);
});

test("boot.not-bootable: such a generation never becomes the default", () => {
  const generations = [generation(2, "two"), addGenerationWithoutKernel()];
  assert.throws(
    () => writeBootMenu({ boot, generations, defaultGeneration: 4, root, say: () => {} }),
    (error: { code: string }) => error.code === "boot.not-bootable",
  );
  assert.match(readFileSync(join(boot, "loader/loader.conf"), "utf8"), /default floe-generation-2\.conf/);
});

test("writeBootMenu() keeps what the old default needs until there is a new one", () => {
  // Stopped before the default is written: generation 2 still boots, although it is gone from the profile.
  rmSync(join(boot, "EFI/floe/one-linux-bzImage.efi"), { force: true });
  assert.throws(
    () => writeOne(0),
    (error: { code: string }) => error.code === "boot.no-space",
  );
  assert.ok(existsSync(join(boot, "loader/entries/floe-generation-2.conf")));
  assert.ok(existsSync(join(boot, "EFI/floe/two-linux-bzImage.efi")));
  writeOne(1000);
  assert.not(existsSync(join(boot, "loader/entries/floe-generation-2.conf")));
  assert.not(existsSync(join(boot, "EFI/floe/two-linux-bzImage.efi")));
});

test("writeBootMenu() takes away what no generation needs any more", () => {
  writeBootMenu({ boot, generations: [generation(1, "one")], defaultGeneration: 1, root, say: () => {} });
  assert.equal(readdirSync(join(boot, "loader/entries")), ["floe-generation-1.conf"]);
  assert.equal(readdirSync(join(boot, "EFI/floe")), ["one-linux-bzImage.efi"]);
  assert.not(existsSync(join(boot, "loader/loader.conf.new")));
});

test("writeBootMenu() copies a kernel again that a power cut left without contents", () => {
  writeFileSync(join(boot, "EFI/floe/one-linux-bzImage.efi"), "");
  writeOne(1000);
  assert.is(readFileSync(join(boot, "EFI/floe/one-linux-bzImage.efi"), "utf8"), "kernel one");
});

/** A system that puts its loader into /boot. */
function addSystemWithLoader(name: string, loader: string): void {
  write(`nix/store/${name}/boot.json`, readFileSync(join(root, "nix/store/one/boot.json"), "utf8"));
  write(`nix/store/${name}-boot/x64.efi`, loader);
  const program = { program: `/nix/store/${name}-boot/x64.efi`, processor: "x64", editor: false };
  const settings = { enable: true, copyKernels: true, limit: 9, timeoutSeconds: 0, loader: program };
  write(`nix/store/${name}/etc/floe/boot-loader.json`, JSON.stringify(settings));
}

/** Bring the menu in line with one generation, which may have a loader of its own. */
function writeMenuOf(name: string, more: Pick<BootMenuOptions, "isReadByUefi" | "space"> = {}): void {
  const generations = [generation(1, name)];
  writeBootMenu({ boot, generations, defaultGeneration: 1, root, say: () => {}, isReadByUefi: () => true, ...more });
}

const programs = () =>
  ["EFI/BOOT/BOOTX64.EFI", "EFI/systemd/systemd-bootx64.efi"].map((path) => readFileSync(join(boot, path), "utf8"));

test("writeBootMenu() installs the loader, and replaces one that is another", () => {
  addSystemWithLoader("old", "a loader");
  addSystemWithLoader("new", "a newer loader");
  writeMenuOf("old");
  assert.equal(programs(), ["a loader", "a loader"]);
  const { ino } = statSync(join(boot, "EFI/BOOT/BOOTX64.EFI"));
  writeMenuOf("old");
  assert.is(statSync(join(boot, "EFI/BOOT/BOOTX64.EFI")).ino, ino);
  // What is cut off by a power cut lies beside the loader, and not in its place.
  writeFileSync(join(boot, "EFI/BOOT/BOOTX64.EFI.new"), "a new");
  writeMenuOf("new");
  assert.equal(programs(), ["a newer loader", "a newer loader"]);
  assert.equal(readdirSync(join(boot, "EFI/BOOT")), ["BOOTX64.EFI"]);
  // Two files, in two folders that lie in a third one.
  const needed = "a loader".length * 2 + 3;
  assert.throws(
    () => writeMenuOf("old", { space: () => ({ freeBytes: needed - 1, blockBytes: 1 }) }),
    (error: { code: string; message: string }) =>
      error.code === "boot.no-space" && error.message.includes(`expected ${needed} `),
  );
  assert.equal(programs(), ["a newer loader", "a newer loader"]);
});

test("boot.not-mounted: nothing is written to a /boot that UEFI cannot read", () => {
  assert.throws(
    () => writeMenuOf("old", { isReadByUefi: () => false }),
    (error: { code: string }) => error.code === "boot.not-mounted",
  );
  assert.throws(
    () => writeBootMenu({ boot, generations: [generation(1, "old")], defaultGeneration: 1, root, say: () => {} }),
    (error: { code: string; message: string }) => error.code === "boot.not-mounted" && error.message.includes(boot),
  );
  assert.throws(
    () =>
      writeBootMenu({
        boot: join(root, "nowhere"),
        generations: [generation(1, "old")],
        defaultGeneration: 1,
        root,
        say: () => {},
      }),
    (error: { code: string }) => error.code === "boot.not-mounted",
  );
  assert.equal(programs(), ["a newer loader", "a newer loader"]);
});

test.run();
