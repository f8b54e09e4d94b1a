import { local } from "#floe/derivation";
import { definePackage } from "#floe/package";
import { FLOE_VERSION } from "#floe/system";

const core = local("../../../../core", {
  name: "floe-core",
  filter: (relative, kind) =>
    kind === "directory"
      ? !/^(module|system|flake|package|host\/(activation|evaluator|flake|git))$/.test(relative)
      : relative.endsWith(".ts") && !/\.(test|contract)\.ts$/.test(relative),
});

/** Works on a store until it is killed, for machine tests: see `core/host/maintenance/testing-work.ts`. */
export default definePackage(({ stdenv, esbuild, nodejs, bash, coreutils, "util-linux": utilLinux }) =>
  stdenv({
    name: "floe-store-work",
    version: FLOE_VERSION,
    summary: "Changes a store in random ways until it is killed, and says what it did",
    homepage: "https://floe.example",
    license: "MIT",
    mainProgram: "floe-store-work",
    nativeInputs: [esbuild],
    unpack: `
      mkdir -p "$top/source"
      cd "$top/source"
      cp -r ${core} core
    `,
    configure: ":",
    // The libraries are for archives, and it fetches none.
    build: `
      echo 'module.exports = {};' > none.cjs
      esbuild core/host/maintenance/testdata/work.ts --bundle --splitting --platform=node --format=esm --target=node24 \\
        --legal-comments=none --alias:tar-stream=./none.cjs --alias:xz-decompress=./none.cjs --out-extension:.js=.mjs --outdir=built
    `,
    install: `
      mkdir -p "$out/lib" "$out/bin"
      cp built/*.mjs "$out/lib"
      printf '#!%s\\nexport PATH=%s/bin:%s/bin\\nexec %s/bin/node %s/lib/work.mjs "$@"\\n' ${bash}/bin/bash ${utilLinux} ${coreutils} ${nodejs} "$out" > "$out/bin/floe-store-work"
      chmod 555 "$out/bin/floe-store-work"
    `,
    check: `floe-store-work`,
  }),
);
