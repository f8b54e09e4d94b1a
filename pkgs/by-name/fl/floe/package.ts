import { local } from "#floe/derivation";
import { definePackage } from "#floe/package";
import { FLOE_VERSION } from "#floe/system";

const CORE = ["base", "profile", "system/switch", "host/activation", "host/profile"];

const CLI = [
  "commands/system/generations.ts",
  "commands/system/machine-commands.ts",
  "commands/system/switch.ts",
  ..."target context errors flags interrupt output program system-errors text usage-errors version"
    .split(" ")
    .map((name) => `${name}.ts`),
];

const core = local("../../../../core", { name: "floe-core", filter: only(CORE) });
const cli = local("../../../../tools/cli", { name: "floe-cli", filter: only(CLI) });

/** The `floe` of a machine: switch, boot, test, roll back. What evaluates and builds is not in it. */
export default definePackage(({ stdenv, fetchUrl, esbuild, nodejs, bash }) =>
  stdenv({
    name: "floe",
    version: FLOE_VERSION,
    summary: "Switches, boots and rolls back the machine it runs on",
    homepage: "https://floe.example",
    license: "MIT",
    mainProgram: "floe",
    nativeInputs: [esbuild],
    unpack: `
      mkdir -p "$top/source/tools"
      cd "$top/source"
      cp -r ${core} core
      cp -r ${cli} tools/cli
      mkdir -p node_modules/@stricli/core
      tar -xzf ${fetchUrl({
        url: "mirror://npm/@stricli/core/-/core-1.3.0.tgz",
        hash: "sha512-LnBe2HntygaLDU5trtjiC3J4C/YkmIZuM0XB52IF4qaLqJH09kgD1fnZiS2gaYUnt0nAN2a+1b4PSOBcfPrN4Q==",
      })} --strip-components=1 -C node_modules/@stricli/core
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

/** Tests and all else that the program is not made from stay out of its hash. */
function only(wanted: readonly string[]) {
  return (relative: string, kind: "file" | "directory" | "symlink"): boolean => {
    if (kind === "directory")
      return wanted.some(
        (path) => path === relative || path.startsWith(`${relative}/`) || relative.startsWith(`${path}/`),
      );
    if (!relative.endsWith(".ts") || relative.endsWith(".test.ts")) return false;
    return wanted.some((path) => path === relative || relative.startsWith(`${path}/`));
  };
}
