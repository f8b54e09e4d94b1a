import { local } from "#floe/derivation";
import { definePackage } from "#floe/package";

export default definePackage(({ stdenv, bash, coreutils }) =>
  stdenv({
    name: "floe-agent-bash",
    version: "2",
    summary: "The agent of machine tests for guests with nothing but a shell",
    homepage: "https://floe.example/vm-tests",
    license: "MIT",
    mainProgram: "floe-agent",
    runtimeShell: `${bash}/bin/bash`,
    unpack: `mkdir -p "$top/source"; cd "$top/source"; cp ${local("./floe-agent.bash")} floe-agent.bash`,
    configure: ":",
    build: `
      # It runs before there is a system to look programs up in.
      { printf '#!%s\\nPATH=\${PATH:+$PATH:}%s\\n' ${bash}/bin/bash ${coreutils}/bin; tail -n +2 floe-agent.bash; } > floe-agent
    `,
    install: `install -D -m 755 floe-agent "$out/bin/floe-agent"`,
    check: `head -n 1 "$out/bin/floe-agent" | grep -Fx '#!${bash}/bin/bash'`,
  }),
);
