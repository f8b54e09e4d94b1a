import { statSync } from "node:fs";
import { QemuError } from "./errors.ts";
import type { QmpClient } from "./qmp.ts";
import type { MachineShape } from "./argv.ts";

/** Where a machine's state goes, or comes from. */
export interface StateFile {
  readonly file: string;
  /**
   * The file has the devices alone: the guest's memory lies in its memory file already. Without it the memory goes into the
   * state file, whichever kind it is.
   */
  readonly withoutMemory: boolean;
  readonly signal?: AbortSignal;
}

/** Bytes per second at which a state is written; QEMU's own limit is meant for networks. */
const UNLIMITED = 2 ** 40;

/**
 * Stop the machine and write its state into a file. It stays stopped and may go on with QMP `cont`, unless its memory is a
 * shared file that the state relies on.
 *
 * @throws {QemuError} `qemu.not-frozen` with QEMU's reason.
 */
export async function saveState(qmp: QmpClient, { file, withoutMemory, signal }: StateFile): Promise<void> {
  await qmp.command("stop", undefined, signal);
  await prepare(qmp, withoutMemory);
  await migrate(qmp, () => qmp.command("migrate", { uri: `exec:cat > ${quote(file)}` }, signal), {
    signal,
    fail: (why) => new QemuError("qemu.not-frozen", `Cannot write the machine's state to "${file}": ${why}`),
  });
}

/**
 * Give a machine that was started with `incoming` a state. It is stopped afterwards, as it was when it was saved.
 *
 * @throws {QemuError} `qemu.not-restored` with QEMU's reason.
 */
export async function restoreState(qmp: QmpClient, { file, withoutMemory, signal }: StateFile): Promise<void> {
  const fail = (why: string): QemuError =>
    new QemuError("qemu.not-restored", `Cannot read the machine's state from "${file}": ${why}`);
  // QEMU waits for ever for the first byte of a stream that ends without one.
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat === undefined || stat.size === 0) throw fail(stat === undefined ? "there is no such file" : "it is empty");
  await prepare(qmp, withoutMemory);
  await migrate(qmp, () => qmp.command("migrate-incoming", { uri: `exec:cat ${quote(file)}` }, signal), {
    signal,
    fail,
  });
}

async function prepare(qmp: QmpClient, withoutMemory: boolean): Promise<void> {
  const capabilities = [
    { capability: "events", state: true },
    { capability: "x-ignore-shared", state: withoutMemory },
  ];
  await qmp.command("migrate-set-capabilities", { capabilities });
  await qmp.command("migrate-set-parameters", { "max-bandwidth": UNLIMITED });
}

async function migrate(
  qmp: QmpClient,
  begin: () => Promise<unknown>,
  { signal, fail }: { readonly signal: AbortSignal | undefined; fail(why: string): QemuError },
): Promise<void> {
  const isMeant = ({ status }: { readonly status: string }): boolean => status === "completed" || status === "failed";
  const ended = qmp.waitForEvent("MIGRATION", { isMeant, signal });
  ended.catch(() => {});
  try {
    await begin();
    const { data } = await ended;
    if (data.status === "completed") return;
    const told = await qmp.command("query-migrate").catch(() => undefined);
    throw fail(told?.["error-desc"] ?? "QEMU does not say why");
  } catch (error) {
    if (error instanceof QemuError && (error.code === "qmp.refused" || error.code === "qmp.closed"))
      throw fail(error.message);
    throw error;
  }
}

/**
 * Say whether a machine of this shape can be frozen, before one is started.
 *
 * @throws {QemuError} `qemu.not-migratable`
 */
export function checkMigratable({ name, folders = [] }: MachineShape | Omit<MachineShape, "ports">): void {
  const [folder] = folders;
  if (folder === undefined) return;
  throw new QemuError(
    "qemu.not-migratable",
    `Cannot freeze the machine "${name}": it shares the folder "${folder.path}" over 9p, whose open files are no part of a machine's state`,
    { hint: "Give the machine an image of the folder as a disk." },
  );
}

/** One word of a POSIX shell command. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
