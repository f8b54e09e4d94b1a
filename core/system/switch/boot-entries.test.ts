import { test } from "uvu";
import * as assert from "uvu/assert";
import { type BootSpec, formatBootSpec, mountUnitName, planBootEntries, tryParseBootSpec } from "./index.ts";

const spec: BootSpec = {
  kernel: "/nix/store/k-linux/bzImage",
  initrd: "/nix/store/i-initrd",
  init: "/nix/store/t-system/init",
  kernelParams: ["console=ttyS0", "quiet"],
  label: "Floe web",
  system: "x86_64-linux",
  toplevel: "/nix/store/t-system",
};
const generations = [1, 2, 3].map((number) => ({ number, date: new Date(0), spec }));
const options = { generations, defaultGeneration: 2, existing: [], timeoutSeconds: 3, limit: 10, copyKernels: false };

test("formatBootSpec() writes bootspec version 1, tryParseBootSpec() reads it", () => {
  const text = formatBootSpec(spec);
  assert.equal(Object.keys(JSON.parse(text)["org.nixos.bootspec.v1"]).sort(), [
    "init",
    "initrd",
    "kernel",
    "kernelParams",
    "label",
    "system",
    "toplevel",
  ]);
  assert.equal(tryParseBootSpec(text), spec);
  for (const bad of ["", "{}", "null", '{"org.nixos.bootspec.v1":{}}']) assert.is(tryParseBootSpec(bad), undefined);
});

test("planBootEntries() names kernels in place and chooses the default", () => {
  const plan = planBootEntries(options);
  assert.equal(
    [...plan.entries.keys()],
    [3, 2, 1].map((number) => `loader/entries/floe-generation-${number}.conf`),
  );
  assert.is(
    plan.entries.get("loader/entries/floe-generation-2.conf"),
    "title Floe\nsort-key floe\nversion Generation 2: Floe web, made 1970-01-01\nlinux /nix/store/k-linux/bzImage\ninitrd /nix/store/i-initrd\noptions init=/nix/store/t-system/init console=ttyS0 quiet\n",
  );
  assert.is(plan.loaderConf, "timeout 3\ndefault floe-generation-2.conf\n");
  assert.is(plan.copies.size, 0);
});

test("a specialisation has an entry of its own, which goes with its generation", () => {
  const loud = { ...spec, init: "/nix/store/l-system/init", label: "Floe web (loud)", kernel: "/nix/store/l/bzImage" };
  const whole = { ...spec, specialisations: { loud } };
  assert.equal(tryParseBootSpec(formatBootSpec(whole)), whole);
  const plan = planBootEntries({
    ...options,
    copyKernels: true,
    generations: [{ number: 2, date: undefined, spec: whole }],
    existing: ["floe-generation-1-specialisation-loud.conf", "floe-generation-2-specialisation-loud.conf"],
  });
  const name = "floe-generation-2-specialisation-loud.conf";
  assert.equal([...plan.entries.keys()], ["loader/entries/floe-generation-2.conf", `loader/entries/${name}`]);
  assert.match(
    plan.entries.get(`loader/entries/${name}`) ?? "",
    /^version Generation 2 \(loud\): Floe web \(loud\)\nlinux \/EFI\/floe\/l-bzImage\.efi\n[\s\S]*options init=\/nix\/store\/l-system\/init /m,
  );
  assert.equal(plan.remove, ["floe-generation-1-specialisation-loud.conf"]);
  assert.is(plan.loaderConf, "timeout 3\ndefault floe-generation-2.conf\n");
  assert.equal(plan.copies.size, 3);
  // Names become names of files: others are left out.
  const odd = formatBootSpec({ ...spec, specialisations: { "../x": loud } });
  assert.is(tryParseBootSpec(odd)?.specialisations, undefined);
});

test("planBootEntries() keeps the newest and the default, removes its own others, leaves foreign ones", () => {
  const plan = planBootEntries({
    ...options,
    limit: 1,
    existing: ["floe-generation-1.conf", "floe-generation-3.conf.new", "floe-generation-9.conf", "windows.conf"],
  });
  assert.equal([...plan.entries.keys()].length, 2);
  assert.equal(plan.remove, ["floe-generation-1.conf", "floe-generation-3.conf.new", "floe-generation-9.conf"]);
});

test("planBootEntries() copies each kernel once, under a name of its content", () => {
  const plan = planBootEntries({ ...options, copyKernels: true });
  assert.equal(
    [...plan.copies],
    [
      ["EFI/floe/k-linux-bzImage.efi", "/nix/store/k-linux/bzImage"],
      ["EFI/floe/i-initrd.efi", "/nix/store/i-initrd"],
    ],
  );
  assert.match(
    plan.entries.get("loader/entries/floe-generation-3.conf") ?? "",
    /\nlinux \/EFI\/floe\/k-linux-bzImage\.efi\n/,
  );
});

test("planBootEntries() puts the loader where UEFI looks for it", () => {
  const loader = { program: "/nix/store/b-boot/x64.efi", processor: "x64", editor: false };
  const plan = planBootEntries({ ...options, copyKernels: true, loader });
  assert.equal(
    [...plan.programs],
    [
      ["EFI/systemd/systemd-bootx64.efi", "/nix/store/b-boot/x64.efi"],
      ["EFI/BOOT/BOOTX64.EFI", "/nix/store/b-boot/x64.efi"],
    ],
  );
  assert.is(plan.loaderConf, "timeout 3\ndefault floe-generation-2.conf\neditor no\n");
  assert.match(planBootEntries({ ...options, loader: { ...loader, editor: true } }).loaderConf, /\neditor yes\n$/);
  assert.is(planBootEntries(options).programs.size, 0);
});

test("mountUnitName() escapes as systemd-escape does", () => {
  // systemd-escape --path --suffix=mount, systemd 252
  assert.is(mountUnitName("/"), "-.mount");
  assert.is(mountUnitName("/var//lib/"), "var-lib.mount");
  assert.is(mountUnitName("/a-b/.c d"), "a\\x2db-.c\\x20d.mount");
  assert.is(mountUnitName("/.hidden"), "\\x2ehidden.mount");
});

test.run();
