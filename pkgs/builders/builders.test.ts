import { test } from "uvu";
import * as assert from "uvu/assert";
import { beginEvaluation, type Derivation, parseDerivation } from "../../core/derivation/index.ts";
import { makeSourceHost } from "../../core/host/files/source-host.ts";
import type { Pkgs } from "../../core/package/index.ts";
import { makePkgs } from "../index.ts";
import { shellWords } from "./flags.ts";

/** The derivation of what `make` gives. */
function derive(make: (pkgs: Pkgs) => { readonly drvPath: string }, platform = "x86_64-linux"): Derivation {
  const { derivations } = beginEvaluation(makeSourceHost());
  return parseDerivation(derivations.get(make(makePkgs({ platform })).drvPath) as string, "x");
}

const COMMON = {
  name: "tool",
  version: "1.0",
  summary: "Test package",
  homepage: "https://example.org",
  license: "MIT",
  check: "tool",
} as const;

test("shellWords() lets variables expand and nothing else", () => {
  assert.is(shellWords(["--prefix=$out", "--opt=-O2 -g"]), '"--prefix=$out" "--opt=-O2 -g"');
  assert.is(shellWords(['a"b', "`id`", "c\\d"]), '"a\\"b" "\\`id\\`" "c\\\\d"');
});

test("stdenv() passes attributes on as the variables of its phases, and leaves out what is not given", () => {
  const { env } = derive(({ stdenv, zlib }) =>
    stdenv({ ...COMMON, inputs: [zlib], build: "make all", makeFlags: ["A=b c"], env: { CFLAGS: "-O2" } }),
  );
  assert.is(env["buildPhase"], "make all");
  assert.is(env["makeFlags"], '"A=b c"');
  assert.is(env["CFLAGS"], "-O2");
  assert.match(env["buildInputs"] ?? "", /-zlib-/);
  assert.not("installPhase" in env);
  assert.not("NIX_STATIC" in env);
});

test("stdenv() forbids the toolchain in the closure of what it builds", () => {
  const { env } = derive(({ stdenv }) => stdenv(COMMON));
  const forbidden = env["disallowedRequisites"]?.split(" ") ?? [];
  assert.ok(forbidden.includes(env["seed"] ?? ""));
  assert.ok(forbidden.includes(env["cc"] ?? ""));
});

test("stdenv() with static links without shared libraries", () => {
  assert.is(derive(({ stdenv }) => stdenv({ ...COMMON, static: true })).env["NIX_STATIC"], "1");
});

test("autotools() makes the configure script first when asked to", () => {
  const { env } = derive(({ autotools }) =>
    autotools({ ...COMMON, autoreconf: true, configureFlags: ["--disable-nls"] }),
  );
  assert.match(
    env["configurePhase"] ?? "",
    /^autoreconf -fi\nwithFlags "\$configureFlags" \.\/configure --prefix="\$out"/,
  );
  assert.match(env["nativeBuildInputs"] ?? "", /-seed-autotools-/);
});

test("meson() takes options by name", () => {
  const { env } = derive(({ meson }) => meson({ ...COMMON, mesonOptions: { docs: false, zlib: "enabled" } }));
  assert.is(env["mesonFlags"], '"-Ddocs=false" "-Dzlib=enabled"');
});

test("overrideAttrs() reaches the derivation through every builder", () => {
  for (const name of ["zlib", "hello", "kmod"]) {
    const { env } = derive(
      (pkgs) =>
        (pkgs as unknown as Record<string, Pkgs["zlib"]>)[name]?.overrideAttrs(() => ({
          postInstall: "echo changed",
        })) as Pkgs["zlib"],
    );
    assert.is(env["postInstall"], "echo changed", name);
  }
});

test("writeText() and runCommand() pass their text as a file, and take its references as inputs", () => {
  const text = derive(({ writeText, bash }) => writeText("profile", `exec ${bash}/bin/bash\n`));
  assert.is(text.env["passAsFile"], "text");
  assert.ok([...text.inputDerivations.keys()].some((path) => /-bash-[\d.]+\.drv$/.test(path)));
  const command = derive(({ runCommand, zlib }) => runCommand("links", { zlib }, "ln -s $zlib $out"));
  assert.is(command.env["passAsFile"], "commands");
  assert.match(command.env["disallowedReferences"] ?? "", /-seed-/);
});

test("builders of a cross set build here for the other machine", () => {
  const drv = derive(
    ({ autotools, zlib, esbuild, bash }) => autotools({ ...COMMON, inputs: [zlib], nativeInputs: [esbuild, bash] }),
    "aarch64-linux",
  );
  const native = makePkgs({ platform: "x86_64-linux" });
  assert.is(drv.system, "x86_64-linux");
  assert.match(drv.env["configurePhase"] ?? "", "--build=x86_64-linux-gnu --host=aarch64-linux-gnu");
  assert.is(drv.env["crossTarget"], "aarch64-linux-gnu");
  assert.is(drv.env["buildInputs"], `${native.cross.aarch64.zlib}`);
  assert.is(drv.env["nativeBuildInputs"], `${native.esbuild} ${native.bash}`, "what runs is of this machine");
  assert.ok(drv.env["disallowedRequisites"]?.split(" ").includes(`${native["seed-cross-aarch64"]}`));
});

test("meson() of a cross set is told of the other machine", () => {
  const { env } = derive(({ meson }) => meson(COMMON), "aarch64-linux");
  assert.match(env["configurePhase"] ?? "", /--cross-file "\$top\/cross.ini"$/);
});

test("texts and commands of a cross set are made by programs of this machine", () => {
  const text = derive(({ writeText, hello }) => writeText("greeting", `${hello}/bin/hello`), "aarch64-linux");
  const native = makePkgs({ platform: "x86_64-linux" });
  assert.is(text.system, "x86_64-linux");
  assert.is(text.env["text"], `${native.cross.aarch64.hello}/bin/hello`);
  const command = derive(
    ({ runCommand, zlib, bash }) => runCommand("links", { zlib, nativeBuildInputs: [bash] }, ":"),
    "aarch64-linux",
  );
  assert.is(command.env["nativeBuildInputs"], `${native.bash}`);
  assert.is(command.env["zlib"], `${native.cross.aarch64.zlib}`);
});

test.run();
