import { local } from "#floe/derivation";
import { definePackage } from "#floe/package";

/** What runs builders quickly. A checkout compiles its own; on the PATH this one serves as well. */
export default definePackage(({ stdenv, toolPrefix }) =>
  stdenv({
    name: "floe-sandbox",
    version: "1",
    summary: "Runs builders in sandboxes and keeps locks, for Floe",
    homepage: "https://floe.example",
    license: "MIT",
    mainProgram: "floe-sandbox",
    source: local("../../../../core/host/sandbox/native"),
    // A small process is copied quickly for each builder.
    static: true,
    build: `${toolPrefix}gcc -static -O2 -Wall -Wextra -Werror -o floe-sandbox *.c`,
    install: `install -D -m 755 floe-sandbox "$out/bin/floe-sandbox"`,
    check: `status=0; floe-sandbox 2> words || status=$?; [ "$status" = 2 ] && grep -q usage: words`,
  }),
);
