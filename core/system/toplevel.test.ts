import { spawnSync } from "node:child_process";
import { readFileSync, readlinkSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Defs, defineModule, option, declare } from "../module/index.ts";
import { makeSystem, tryParseBootSpec } from "./index.ts";
import { beginTestEvaluation, runBuilder, testPackage } from "./testing.ts";

beginTestEvaluation();
const bash = testPackage("bash");
const coreutils = testPackage("coreutils");
const filled = defineModule(declare("test", { extra: option.listOf(option.str()) }), ({ cfg, define }) => {
  define({
    system: {
      build: {
        kernel: "/k/bzImage",
        initrd: "/i",
        kernelParams: ["quiet", ...cfg.extra],
        etc: "/e",
        etcLinks: "/l",
        etcEntries: ["hosts"],
        sw: "/s",
        init: "/systemd/lib/systemd/systemd",
        manager: "/systemd",
        shell: bash,
        path: [coreutils],
      },
      activationScripts: { hello: { text: "echo $system" } },
    },
  });
});
const make = (config: Defs) => makeSystem({ name: "web", pkgs: { coreutils }, modules: [filled], config });

test("makeSystem() gives a toplevel with everything a boot needs", () => {
  const system = make({ system: { label: "Test" } });
  assert.is(system.toplevel.name, "floe-system-web");
  assert.is(`${system}`, system.outPath);
  assert.equal(system.kernelParams, ["quiet"]);
  const out = runBuilder(
    system.toplevel,
    new Map([
      [bash, "/usr"],
      [coreutils, "/usr"],
    ]),
  );
  assert.equal(
    readdirSync(out).sort(),
    "activate boot.json etc etc-entries etc-links floe-version init init-interface-version initrd kernel kernel-params name sw system systemd".split(
      " ",
    ),
  );
  assert.is(readlinkSync(join(out, "kernel")), "/k/bzImage");
  assert.is(statSync(join(out, "init")).mode & 0o777, 0o555);
  const spec = tryParseBootSpec(readFileSync(join(out, "boot.json"), "utf8"));
  assert.equal(spec, {
    kernel: "/k/bzImage",
    initrd: "/i",
    init: `${out}/init`,
    kernelParams: ["quiet"],
    label: "Test",
    system: "x86_64-linux",
    toplevel: out,
  });
  assert.is(spawnSync(join(out, "activate"), { encoding: "utf8" }).stdout, `${out}\n`);
  assert.is(spawnSync("bash", ["-n", join(out, "init")]).status, 0);
});

test("makeSystem() is lazy, and its errors name the literal's place", () => {
  const system = make({ system: { nmae: "x" } } as Defs);
  assert.is(system.name, "web");
  try {
    system.config;
    assert.unreachable();
  } catch (error) {
    const { code, hint, at } = error as { code: string; hint: string; at: { file: string } };
    assert.is(code, "option.unknown");
    assert.is(hint, 'Did you mean "system.name"?');
    assert.match(at.file, /toplevel\.test\.ts$/);
  }
});

test.run();
