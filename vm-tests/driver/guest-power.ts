import { CodedError } from "../../core/base/index.ts";
import { checkSucceeded, toResult } from "./commands.ts";
import type { GuestContext } from "./guest-context.ts";
import { withDeadline } from "./wait.ts";

const POWER_OFF_SECONDS = 90;

/** Leave the running system through systemd; QEMU ends in either case, because a reboot is a new process. */
export async function leave(context: GuestContext, verb: "poweroff" | "reboot"): Promise<void> {
  const boot = context.boot();
  const deadline = context.deadline(POWER_OFF_SECONDS);
  boot.expectEnd();
  const asked = boot.agent.exec(["systemctl", "--no-block", verb]).result.catch(() => undefined);
  await withDeadline(
    Promise.race([
      boot.machine.process.exited,
      asked.then((result) => {
        if (result !== undefined && result.status !== 0)
          throw checkSucceeded(context.name, `systemctl ${verb}`, toResult(result));
        return boot.machine.process.exited;
      }),
    ]),
    deadline,
    new AbortController().signal,
    () => {
      boot.machine.process.kill();
      return new CodedError(
        "machine.does-not-stop",
        `Cannot ${verb} the machine "${context.name}": still on after ${deadline.show()}`,
        { details: boot.lastWords() },
      );
    },
  );
  boot.agent.close();
  await boot.over;
  const text = verb === "reboot" ? "left for a reboot" : "powered off";
  context.host.log({ kind: "machine", machine: context.name, text });
}

/** Cut the power. */
export async function cutPower(context: GuestContext): Promise<void> {
  const boot = context.boot();
  boot.expectEnd();
  boot.agent.close();
  await boot.machine.cutPower();
  await boot.over;
  context.host.log({ kind: "machine", machine: context.name, text: "power cut" });
}
