import { QemuError } from "./errors.ts";
import type { QmpClient } from "./qmp.ts";

/**
 * Keep the machine as it is, memory and disks, under a name in its own disk images. All writable disks must be qcow2. The machine goes
 * on afterwards.
 *
 * QEMU's jobs for it want each disk by the name of its node; the command for people finds them.
 *
 * @throws {QemuError} `qemu.no-snapshot` with QEMU's reason.
 */
export function saveSnapshot(qmp: QmpClient, name: string): Promise<void> {
  return monitor(qmp, "savevm", name, "keep");
}

/** Make the machine what it was when the snapshot was taken, in the same process. @throws {QemuError} `qemu.no-snapshot` */
export function loadSnapshot(qmp: QmpClient, name: string): Promise<void> {
  return monitor(qmp, "loadvm", name, "return to");
}

/** Forget a snapshot. @throws {QemuError} `qemu.no-snapshot` */
export function deleteSnapshot(qmp: QmpClient, name: string): Promise<void> {
  return monitor(qmp, "delvm", name, "delete");
}

const NAME = /^[A-Za-z][A-Za-z0-9._-]*$/;

async function monitor(qmp: QmpClient, command: string, name: string, verb: string): Promise<void> {
  const fail = (why: string): QemuError =>
    new QemuError("qemu.no-snapshot", `Cannot ${verb} the snapshot "${name}": ${why}`);
  if (!NAME.test(name)) throw fail("a name has letters, digits, dots, dashes and underscores, and a letter first");
  const words = (await qmp.command("human-monitor-command", { "command-line": `${command} ${name}` })).trim();
  if (words !== "") throw fail(words.replace(/^Error: /, ""));
}
