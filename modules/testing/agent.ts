import { type Read, type Write, declare, defaults, defineModule, option } from "#floe/module";
import quickBoot from "./quick-boot.ts";

const options = declare("testing.agent", {
  enable: option.bool({
    default: false,
    description:
      "Run the agent that lets a machine test act in this system. It takes commands, as root, from whoever has the virtio port.",
  }),
  package: option.nullOr(option.package(), {
    description:
      "Default: `pkgs.floe-agent`. `pkgs.floe-agent-bash` does less and needs nothing but bash and the coreutils.",
  }),
});

export interface TestingAgent extends Read<typeof options> {}
export interface TestingAgentDefs extends Write<typeof options> {}

declare module "#floe/module" {
  interface TestingConfig {
    readonly agent: TestingAgent;
  }
  interface TestingDefs {
    agent?: TestingAgentDefs | undefined;
  }
  interface Config {
    readonly testing: TestingConfig;
  }
  interface Defs {
    testing?: TestingDefs | undefined;
  }
}

/** Names of the ports; vm-tests/driver/boot.ts has the host's ends. */
const AGENT_PORT = "org.floe.agent.0";
const JOURNAL_PORT = "org.floe.journal.0";

export default defineModule(
  options,
  ({ cfg, pkgs, define }) => {
    if (!cfg.enable) return;
    define({ testing: { agent: { package: defaults(pkgs["floe-agent"]) }, quickBoot: { enable: defaults(true) } } });
    if (cfg.package === null) return;
    const program = `${cfg.package}/bin/floe-agent`;
    // Nothing here conflicts with shutdown.target: both speak until the kernel stops, also about a shutdown that hangs.
    const early = { DefaultDependencies: false };
    define({
      systemd: {
        services: {
          "floe-agent": {
            description: "Agent of Machine Tests",
            wantedBy: ["sysinit.target"],
            unitConfig: early,
            // A switch is itself a command of the agent, and must not end it.
            onChange: "ignore",
            exec: `${program} --name ${AGENT_PORT}`,
            environment: { HOME: "/root", PATH: "/run/current-system/sw/bin" },
            serviceConfig: {
              KillMode: "process",
              Restart: "always",
              RestartSec: 1,
              OOMScoreAdjust: -900,
              // A command that is killed for its memory is one of the agent's processes, and not its end.
              OOMPolicy: "continue",
              TasksMax: "infinity",
              WorkingDirectory: "/",
            },
          },
          "floe-journal": {
            description: "Journal for Machine Tests",
            wantedBy: ["sysinit.target"],
            after: ["systemd-journald.service"],
            unitConfig: early,
            onChange: "ignore",
            exec: `${program} --pipe ${JOURNAL_PORT} ${pkgs.systemd}/bin/journalctl --follow --no-tail --boot --output=short-monotonic --no-hostname`,
            serviceConfig: { Restart: "always", RestartSec: 1 },
          },
        },
      },
    });
  },
  { imports: [quickBoot] },
);
