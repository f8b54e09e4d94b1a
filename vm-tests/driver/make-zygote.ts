import { setTimeout as sleep } from "node:timers/promises";
import { makeRunDirectory, type CloningMethod, type Nic, withAbort } from "qemu-wrapper";
import { becomeItself } from "./become-itself.ts";
import type { Boot, BootSpecification } from "./boot.ts";
import { copyOf } from "./frozen.ts";
import { shell } from "./guest-context.ts";
import { looseCables } from "./loose-cables.ts";
import { copiedDisks, type DisksOptions } from "./machine-disks.ts";
import type { HeldTemplate } from "./template-store.ts";
import type { Zygote } from "./zygotes.ts";

/** Seconds of the guest until its agent has to answer. */
const ANSWER_SECONDS = 120;

/** What is said within this time of one another belongs together. */
const QUIET_MS = 5;

export interface MakeZygoteOptions {
  /** Released with the zygote. */
  readonly template: HeldTemplate;
  readonly method: CloningMethod;
  /** The cards of its copies. */
  readonly nics: readonly Nic[];
  /** Where its copies have their disks from. */
  readonly disks: DisksOptions;
  /** Starts QEMU with a machine as the copies are, and the library. */
  readonly start: (extra: Partial<BootSpecification>) => Promise<Boot>;
  /** Nobody wants it any more. */
  readonly signal: AbortSignal;
}

/** Make a copy of a template from which others are forked. It belongs to no test: it has its own folder, and its cables lead nowhere. */
export async function makeZygote(options: MakeZygoteOptions): Promise<Zygote> {
  const { template, method, signal } = options;
  const place = makeRunDirectory();
  const folder = place.path;
  let close = (): void => {};
  let boot: Boot | undefined;
  const release = (): void => {
    close();
    place.remove();
    template.release();
  };
  try {
    const cables = await looseCables(options.nics, folder);
    close = cables.close;
    const disks = await copiedDisks({ ...options.disks, folder }, template.folder);
    boot = await options.start({
      ...{ disks, nics: cables.nics, folder, socketFolder: folder, number: 1 },
      copy: copyOf({ folder: template.folder, method }),
      trace: undefined,
      onLine: () => {},
      // It has no records: copies have what it said from here.
      keep: () => {},
      whereNow: () => undefined,
      signal,
    });
    signal.throwIfAborted();
    await withAbort(warmUp(boot), signal);
    return { boot, folder, disks, nics: cables.nics, release };
  } catch (error) {
    boot?.expectEnd();
    boot?.agent.close();
    await boot?.machine.cutPower();
    await boot?.over;
    release();
    throw error;
  }
}

/** Let a copy answer and do what every test begins with, and stop it where nothing is on its way to it or from it. */
async function warmUp(boot: Boot): Promise<void> {
  await becomeItself(boot, ANSWER_SECONDS);
  await boot.agent.exec(shell("true")).result;
  boot.expectEnd();
  boot.agent.close();
  await boot.machine.qmp.command("stop");
  for (let said = -1, now = lengthOf(boot); said !== now; now = lengthOf(boot)) {
    said = now;
    await sleep(QUIET_MS);
  }
}

function lengthOf({ console, journal }: Boot): number {
  return console.raw().length + journal.raw().length;
}
