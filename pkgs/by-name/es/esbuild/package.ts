import { defineBuildTool } from "#floe/package";

/** A build tool: no machine carries it. */
export default defineBuildTool(({ stdenv, fetchUrl }) =>
  stdenv({
    name: "esbuild",
    version: "0.28.2",
    summary: "Bundler for JavaScript and TypeScript",
    homepage: "https://esbuild.github.io",
    license: "MIT",
    platforms: ["x86_64-linux"],
    mainProgram: "esbuild",
    source: fetchUrl({
      url: "mirror://npm/@esbuild/linux-x64/-/linux-x64-0.28.2.tgz",
      hash: "sha512-4xTZr1FUmSoQW4XIWmit3tzQrUTZM+N3P0XV8xROKYF50XfI7xeO90+1bZvNwxIufQ9hDQVRJH5YhgPVF8A/HQ==",
    }),
    configure: ":",
    build: ":",
    install: 'install -D -m 555 bin/esbuild "$out/bin/esbuild"',
    dontStrip: true,
    check: `
      esbuild --version | grep -Fx "$version"
      echo 'let x: number = 1; console.log(x)' | esbuild --loader=ts | grep -F "let x = 1"
    `,
  }),
);
