import { test } from "uvu";
import * as assert from "uvu/assert";
import { beginEvaluation, contextOf, currentEvaluation, parseDerivation } from "../core/derivation/index.ts";
import { makeSourceHost } from "../core/host/files/source-host.ts";
import { defineOverlay, type Package, type Pkgs } from "../core/package/index.ts";
import { makePkgs } from "../pkgs/index.ts";
import type { MachineManifest } from "./manifest.ts";
import { vmTest } from "./index.ts";

beginEvaluation(makeSourceHost());

const story = (pkgs?: Pkgs) =>
  vmTest({
    ...(pkgs === undefined ? {} : { pkgs }),
    name: "example",
    description: "An example.",
    machines: {
      server: {
        config: { services: { nginx: { enable: true } } },
        generations: { next: { users: { users: { somebody: { isNormalUser: true } } } } },
        memoryMiB: 768,
      },
      client: { config: {} },
    },
    allowConsole: [/expected/],
    // The names of the machines are those of the declaration, for the checker too.
    async script({ server, client }) {
      await Promise.all([server.start(), client.start()]);
    },
  });

// The first of this file, since it is about what others have left.
test("a test with packages of its own leaves others theirs", () => {
  const renamed = defineOverlay({
    override: Object.fromEntries(
      ["qemu", "nginx"].map((name) => [
        name,
        (previous: Package) => previous.overrideAttrs(() => ({ name: `other-${name}` })),
      ]),
    ),
  });
  const pkgs = makePkgs({ platform: "x86_64-linux", overlays: [renamed] });
  const { server } = story(pkgs).machines;
  const { path } = story(pkgs).programs;
  assert.match(path[0] ?? "", "-other-qemu-");
  assert.not.match(story().programs.path[0] ?? "", "-other-qemu-");
  assert.is.not(story().machines["server"]?.storeImage, server?.storeImage);
  assert.is(story(pkgs).machines["server"]?.storeImage, server?.storeImage);
});

test("vmTest() is data for an evaluation, and carries its script for the driver", () => {
  const made = story();
  assert.equal(Object.keys(made), [
    "type",
    "name",
    "description",
    "story",
    "platforms",
    "tags",
    "machines",
    "programs",
  ]);
  assert.match(made.story, /vm-test\.test\.ts$/);
  assert.type(made.script, "function");
  assert.equal(made.allowConsole, [/expected/]);
});

test("machines of a test name their images and what they can boot", () => {
  const { server, client } = story().machines;
  assert.equal([server?.memoryMiB, server?.cpus, client?.memoryMiB], [768, 2, 1024]);
  assert.equal(Object.keys(server?.generations ?? {}), ["base", "next"]);
  assert.match(server?.storeImage ?? "", /^\/nix\/store\/[0-9a-z]{32}-server-store\.img$/);
  assert.match(server?.generations.base.toplevel ?? "", /-floe-system-server$/);
  assert.is.not(server?.generations.base.toplevel, server?.generations["next"]?.toplevel);
  assert.match(server?.generations.base.kernelParameters ?? "", "floe.store=erofs:/dev/vdb");
});

test("a test has machines of each platform it declares", () => {
  const { platforms, machines, on } = vmTest({
    name: "both",
    description: "",
    platforms: ["x86_64-linux", "aarch64-linux"],
    machines: { machine: { config: {} } },
    async script() {},
  });
  assert.equal(platforms, Object.keys(on));
  assert.is(on["x86_64-linux"]?.machines, machines, "the first one is meant where none is named");
  const [native, other] = [machines["machine"], on["aarch64-linux"]?.machines["machine"]];
  assert.equal([native?.architecture, other?.architecture], ["x86_64", "aarch64"]);
  assert.match(other?.generations.base.kernel ?? "", /-linux-[\d.]+\/Image$/);
  assert.match(native?.generations.base.kernel ?? "", /-linux-[\d.]+\/vmlinux$/);
  assert.match(other?.generations.base.kernelParameters ?? "", "console=ttyAMA0");
  // All of it is built here.
  for (const [path, text] of currentEvaluation().derivations)
    assert.not(parseDerivation(text, path).system === "aarch64-linux", path);
});

test("vmTest() refuses a platform without packages", () => {
  const made = vmTest({
    name: "odd",
    description: "",
    platforms: ["riscv64-linux"],
    machines: { machine: { config: {} } },
    async script() {},
  });
  assert.throws(
    () => made.machines,
    (error: { code: string }) => error.code === "vm-test.platform",
  );
});

test("equal machines have equal images, and the images hold every generation", () => {
  const [first, second] = [story().machines["server"], story().machines["server"]];
  assert.equal(first, second);
  const [drvPath = ""] = contextOf(first?.storeImage ?? "").derivations.keys();
  const text = currentEvaluation().derivations.get(drvPath) ?? "";
  for (const { toplevel } of Object.values(first?.generations ?? {})) assert.ok(text.includes(toplevel));
});

test("a machine with a boot menu has a disk that UEFI starts, with the generation that is booted first", () => {
  const made = vmTest({
    name: "starts-itself",
    description: "",
    machines: {
      machine: {
        bootMenu: true,
        recordedDisk: true,
        generations: { two: { services: { nginx: { enable: true } } } },
        config: {},
      },
    },
    async script() {},
  });
  const { bootImage = "", firmware = "", generations } = made.machines["machine"] as MachineManifest;
  assert.match(firmware, /\/x86_64\.fd$/);
  assert.match(generations.base.kernel, /\/bzImage$/);
  assert.match(generations.base.kernelParameters, "panic=-1");
  const [drvPath = ""] = contextOf(bootImage).derivations.keys();
  const text = (currentEvaluation().derivations.get(drvPath) ?? "").replaceAll('\\"', '"');
  assert.match(text, `options init=${generations.base.toplevel}/init `);
  assert.match(text, "EFI/BOOT/BOOTX64.EFI");
  assert.not.match(text, `options init=${generations["two"]?.toplevel}`);
});

test("a misspelt option is an error of types, and of the evaluation at the latest", () => {
  const made = vmTest({
    name: "misspelt",
    description: "",
    machines: {
      // @ts-expect-error There is no option services.ngnix.
      machine: { config: { services: { ngnix: { enable: true } } } },
    },
    async script() {},
  });
  assert.throws(
    () => made.machines,
    (error: { code: string }) => /option/.test(error.code),
  );
});

test("a misspelt machine is an error of types", () => {
  vmTest({
    name: "misspelt-machine",
    description: "",
    machines: { server: { config: {} } },
    // @ts-expect-error There is no machine "sever".
    async script({ sever }) {
      await sever.start();
    },
  });
});

test.run();
