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

/** Put the system to sleep. @throws {CodedError} `machine.no-sleep` */
export async function suspend(context: GuestContext): Promise<void> {
  const { agent, machine, signal } = context.boot();
  const { "wakeup-suspend-support": canSleep } = await machine.qmp.command("query-current-machine");
  // A kernel without a machine's help would only idle, and nothing could wake it.
  if (!canSleep) {
    throw new CodedError("machine.no-sleep", `Cannot suspend the machine "${context.name}": its QEMU has no sleep`, {
      hint: "Only QEMU's machines of x86_64 sleep: suspend them, and let the others pause().",
    });
  }
  const stop = new AbortController();
  const asleep = machine.qmp.waitForEvent("SUSPEND", { signal: AbortSignal.any([stop.signal, signal]) });
  asleep.catch(() => {});
  try {
    // The kernel's own word for it: systemd's answer comes only when the machine is awake again.
    const asked = agent.exec(["sh", "-c", "echo mem > /sys/power/state"]).result;
    const refused = asked.then((result) =>
      checkSucceeded(context.name, "echo mem > /sys/power/state", toResult(result)),
    );
    refused.catch(() => {});
    await context.limited(Promise.race([asleep, refused.then(() => asleep)]), "suspend the system");
  } finally {
    stop.abort();
  }
  context.host.log({ kind: "machine", machine: context.name, text: "sleeps" });
}

/** @throws {CodedError} `machine.not-asleep` */
export async function wake(context: GuestContext): Promise<void> {
  const { agent, machine } = context.boot();
  const { status } = await machine.qmp.command("query-status");
  if (status !== "suspended")
    throw new CodedError("machine.not-asleep", `Cannot wake the machine "${context.name}": it is ${status}`);
  await machine.qmp.command("system_wakeup");
  await context.limited(agent.ping(), "hear from the agent");
  context.host.log({ kind: "machine", machine: context.name, text: "is awake" });
}
