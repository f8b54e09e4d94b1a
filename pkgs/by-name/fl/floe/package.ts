import { local } from "#floe/derivation";
import { definePackage } from "#floe/package";

/** The folders that the program of a machine is made from; tests and everything else stay out of its hash. */
const FOLDERS = [
  "core/base",
  "core/profile",
  "core/system/switch",
  "core/host/activation",
  "core/host/profile",
  "tools/cli",
  "tools/cli/commands/system",
];

const FILES =
  /^tools\/cli\/(target|context|errors|flags|interrupt|program|system-errors|text|usage-errors|version)\.ts$/;

/** The `floe` of a machine: switch, boot, test, roll back. What evaluates and builds is not in it. */
export default definePackage(({ stdenv, fetchUrl, esbuild, nodejs, bash }) =>
  stdenv({
    name: "floe",
    version: "0.1.0",
    summary: "Switches, boots and rolls back the machine it runs on",
    homepage: "https://floe.example",
    license: "MIT",
    platforms: ["x86_64-linux"],
    mainProgram: "floe",
    source: local("../../../..", { name: "floe-source", filter: isOfTarget }),
    nativeInputs: [esbuild],
    postUnpack: `
      mkdir -p "$sourceRoot/node_modules/@stricli/core"
      tar -xzf ${fetchUrl({
        url: "mirror://npm/@stricli/core/-/core-1.3.0.tgz",
        hash: "sha512-LnBe2HntygaLDU5trtjiC3J4C/YkmIZuM0XB52IF4qaLqJH09kgD1fnZiS2gaYUnt0nAN2a+1b4PSOBcfPrN4Q==",
      })} --strip-components=1 -C "$sourceRoot/node_modules/@stricli/core"
    `,
    configure: ":",
    build: `
      esbuild tools/cli/target.ts --bundle --platform=node --format=esm --target=node24 --legal-comments=none --outfile=floe.mjs
    `,
    install: `
      install -D -m 444 floe.mjs "$out/lib/floe.mjs"
      mkdir -p "$out/bin"
      printf '#!%s\\nexec %s %s "$@"\\n' ${bash}/bin/bash ${nodejs}/bin/node "$out/lib/floe.mjs" > "$out/bin/floe"
      chmod 555 "$out/bin/floe"
    `,
    check: `
      floe --version | grep -Fx "$version"
      floe system list-generations --json | grep -Fx '[]'
      ! floe system switch --store-path /nowhere
    `,
  }),
);

function isOfTarget(relative: string, kind: "file" | "directory" | "symlink"): boolean {
  if (kind === "directory")
    return FOLDERS.some(
      (folder) => folder === relative || folder.startsWith(`${relative}/`) || relative.startsWith(`${folder}/`),
    );
  if (!relative.endsWith(".ts") || relative.endsWith(".test.ts") || relative.endsWith(".contract.ts")) return false;
  if (/^tools\/cli\/[^/]+$/.test(relative)) return FILES.test(relative);
  // These two evaluate and build.
  if (/^tools\/cli\/commands\/system\/(index|build)\.ts$/.test(relative)) return false;
  return FOLDERS.some((folder) => folder !== "tools/cli" && relative.startsWith(`${folder}/`));
}
