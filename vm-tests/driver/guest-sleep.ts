import { CodedError } from "../../core/base/index.ts";
import type { Boot } from "./boot.ts";
import { checkSucceeded, toResult } from "./commands.ts";
import type { GuestContext } from "./guest-context.ts";

/**
 * How a machine sleeps. `deep`: but for its memory it is off, and QEMU wakes it (ACPI's S3). `idle`: its kernel idles until something comes
 * over the serial console, since a machine of aarch64 has no sleep of its own that something could end.
 */
export type Sleep = "deep" | "idle";

/** The kernel's own word: systemd's answer comes only when the machine is awake again. */
const FALL_ASLEEP: Readonly<Record<Sleep, string>> = {
  deep: "echo mem > /sys/power/state",
  idle: "for port in /sys/class/tty/ttyAMA0; do echo enabled > $port/power/wakeup; done; echo freeze > /sys/power/state",
};

/** The kernel's last word before it idles. */
const SILENT = /printk: Suspending console/;

/** What it says when all its devices work again. Before that, what the agent is sent gets lost. */
const AWAKE = /PM: suspend exit/;

/** How often an idling kernel is given something to wake up for: what comes while it falls asleep still does nothing. */
export const KNOCK_MS = 500;

/** Boots whose kernels idle. */
const idling = new WeakSet<Boot>();

/** Put the system to sleep. @throws {CodedError} `machine.no-sleep` */
export async function suspend(context: GuestContext): Promise<void> {
  const boot = context.boot();
  const { sleep } = context.host;
  if (sleep === undefined) {
    throw new CodedError("machine.no-sleep", `Cannot suspend the machine "${context.name}": nothing could wake it`, {
      hint: 'Say firmware: "uefi" for the machine: without it, a PC wakes to a kernel that QEMU has put into memory anew.',
    });
  }
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, boot.signal]);
  const asleep =
    sleep === "deep"
      ? boot.machine.qmp.waitForEvent("SUSPEND", { signal })
      : boot.console.awaitNew(SILENT, signal).then(() => void idling.add(boot));
  asleep.catch(() => {});
  try {
    const asked = boot.agent.exec(["sh", "-c", FALL_ASLEEP[sleep]]).result;
    const refused = asked.then((result) => checkSucceeded(context.name, FALL_ASLEEP[sleep], toResult(result)));
    refused.catch(() => {});
    await context.limited(Promise.race([asleep, refused.then(() => asleep)]), "suspend the system");
  } finally {
    stop.abort();
  }
  context.host.log({ kind: "machine", machine: context.name, text: "sleeps" });
}

/** Wake what sleeps, and wait until its agent answers. @throws {CodedError} `machine.not-asleep` */
export async function wake(context: GuestContext): Promise<void> {
  const boot = context.boot();
  if (idling.has(boot)) await wakeIdle(context, boot);
  else await wakeDeep(context, boot);
  await context.limited(boot.agent.ping(), "hear from the agent");
  context.host.log({ kind: "machine", machine: context.name, text: "is awake" });
}

async function wakeDeep({ name }: GuestContext, { machine }: Boot): Promise<void> {
  const { status } = await machine.qmp.command("query-status");
  if (status !== "suspended")
    throw new CodedError("machine.not-asleep", `Cannot wake the machine "${name}": it is ${status}`);
  await machine.qmp.command("system_wakeup");
}

async function wakeIdle(context: GuestContext, boot: Boot): Promise<void> {
  const stop = new AbortController();
  const awake = boot.console.awaitNew(AWAKE, AbortSignal.any([stop.signal, boot.signal]));
  awake.catch(() => {});
  const knock = (): void => void boot.machine.console.write("\n");
  knock();
  const timer = setInterval(knock, KNOCK_MS);
  try {
    await context.limited(awake, "wake the system");
  } finally {
    clearInterval(timer);
    stop.abort();
  }
  idling.delete(boot);
}
