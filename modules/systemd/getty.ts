import { type Read, type Write, declare, defineModule, option } from "#floe/module";
import { platformDefault } from "../platform-default.ts";

const options = declare("services.getty", {
  serial: option.listOf(option.str(), {
    default: ["ttyS0"],
    description: "Serial lines that offer a login. `ttyAMA0` on aarch64.",
  }),
  autologinRoot: option.bool({
    default: false,
    description: "Whether a serial line gives a root shell to whoever has the line. For machines under test.",
  }),
});

export interface Getty extends Read<typeof options> {}
export interface GettyDefs extends Write<typeof options> {}

declare module "#floe/module" {
  interface ServicesConfig {
    readonly getty: Getty;
  }
  interface ServicesDefs {
    getty?: GettyDefs | undefined;
  }
}

export default defineModule(options, ({ cfg, pkgs, define }) => {
  if (pkgs.platform.processor === "aarch64") define({ services: { getty: { serial: platformDefault(["ttyAMA0"]) } } });
  const agetty = `${pkgs["util-linux"]}/bin/agetty`;
  // Without a login program, which needs PAM, a line asks for the password of root.
  const program = cfg.autologinRoot ? `${pkgs.bash}/bin/bash -o "-l"` : `${pkgs["util-linux"]}/bin/sulogin`;
  const getty = (description: string, words: string) => ({
    description,
    after: ["systemd-user-sessions.service"],
    onChange: "ignore" as const,
    environment: { HOME: "/root", PATH: "/run/current-system/sw/bin" },
    serviceConfig: {
      ExecStart: `-${agetty} -n -i -l ${program} ${words}`,
      Type: "idle",
      Restart: "always",
      UtmpIdentifier: "%I",
      TTYPath: "/dev/%I",
      TTYReset: true,
      TTYVHangup: true,
      StandardInput: "tty",
      IgnoreSIGPIPE: false,
      SendSIGHUP: true,
    },
  });
  define({
    systemd: {
      services: {
        // As systemd has it, without the dependency on the device's unit: the kernel's console is always there.
        "serial-getty@": getty("Serial Getty on %I", "-8 --keep-baud 115200,57600,38400,9600 %I vt220"),
        // logind starts one for each screen that somebody looks at.
        "getty@": {
          ...getty("Getty on %I", "--noclear %I linux"),
          unitConfig: { ConditionPathExists: "/dev/tty0" },
        },
      },
    },
  });
  for (const line of cfg.serial) {
    define({ systemd: { instances: { [`serial-getty@${line}.service`]: { wantedBy: ["getty.target"] } } } });
  }
});
