import { local } from "#floe/derivation";
import { definePackage } from "#floe/package";

export default definePackage(({ stdenv, toolPrefix }) =>
  stdenv({
    name: "floe-agent",
    version: "2",
    summary: "The hand of a machine test inside its guest: commands and files over a virtio port",
    homepage: "https://floe.example/vm-tests",
    license: "MIT",
    source: local("./src"),
    // It has to run in a guest whose libraries are what is being tested.
    static: true,
    build: `${toolPrefix}gcc -static -O2 -Wall -Wextra -Werror -o floe-agent *.c`,
    install: `install -D -m 755 floe-agent "$out/bin/floe-agent"`,
    check: `status=0; floe-agent --nonsense 2> words || status=$?; [ "$status" = 2 ] && grep -q usage: words`,
  }),
);
