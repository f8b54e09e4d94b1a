import { createReadStream, createWriteStream, statSync } from "node:fs";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { QemuError } from "./errors.ts";
import type { QmpClient } from "./qmp.ts";
import type { MachineShape } from "./argv.ts";
import { makeRunDirectory } from "./run-directory.ts";
import type { VirtualMachine } from "./virtual-machine.ts";

/** Where a machine's state goes, or comes from. */
export interface StateFile {
  readonly file: string;
  /**
   * The file has the devices alone: the guest's memory lies in its memory file already. Without it the memory goes into the
   * state file, whichever kind it is.
   */
  readonly withoutMemory: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Bytes per second at which a state is written; QEMU's own limit is meant for networks. */
const UNLIMITED = 2 ** 40;

/** Bytes read at once from a state, which may have the whole memory. */
const CHUNK_BYTES = 1 << 20;

/**
 * Stop the machine and write its state into a file, through a socket: QEMU itself would need a shell for that. It stays stopped and may go on with QMP `cont`, unless its memory is a
 * shared file that the state relies on.
 *
 * @throws {QemuError} `qemu.not-frozen` with QEMU's reason; `qemu.state-lost` when the host cannot write the file; `qmp.closed` when QEMU
 *   ends meanwhile, which is nothing that it says of the machine.
 */
export async function saveState(qmp: QmpClient, { file, withoutMemory, signal }: StateFile): Promise<void> {
  await qmp.command("stop", undefined, signal);
  await prepare(qmp, withoutMemory, signal);
  const fail = (why: string): QemuError =>
    new QemuError("qemu.not-frozen", `Cannot write the machine's state to "${file}": ${why}`);
  const lose = (cause: NodeJS.ErrnoException): QemuError =>
    new QemuError("qemu.state-lost", `Cannot write the machine's state to "${file}": ${cause.message}`, {
      cause,
      ...(cause.code === "ENOSPC" && { hint: `Free some space on the file system of "${dirname(file)}".` }),
    });
  const run = makeRunDirectory();
  const path = join(run.path, "state.sock");
  const server = createServer({ allowHalfOpen: true });
  let source: Socket | undefined;
  let lost: QemuError | undefined;
  try {
    server.listen(path);
    await once(server, "listening");
    const written = once(server, "connection").then(([socket]) => {
      source = socket as Socket;
      const target = createWriteStream(file, { mode: 0o600 });
      // Known before QEMU's stream is cut off for it, so that QEMU's complaint is never taken for the reason.
      target.once("error", (error) => (lost = lose(error)));
      return pipeline(source, target);
    });
    written.catch(() => {});
    await migrate(qmp, () => qmp.command("migrate", { uri: `unix:${path}` }, signal), { signal, fail });
    // It has sent everything, so it had connected.
    await written.catch((error: Error) => Promise.reject(lose(error)));
  } catch (error) {
    throw lost ?? error;
  } finally {
    source?.destroy();
    server.close();
    run.remove();
  }
}

/**
 * Give a machine that was started with `incoming` a state. It is stopped afterwards, as it was when it was saved.
 *
 * @throws {QemuError} `qemu.not-restored` with QEMU's reason; `qmp.closed` when a signal ended QEMU meanwhile.
 */
export async function restoreState(
  { qmp, process }: Pick<VirtualMachine, "qmp" | "process">,
  { file, withoutMemory, signal }: StateFile,
): Promise<void> {
  const fail = (why: string): QemuError =>
    new QemuError("qemu.not-restored", `Cannot read the machine's state from "${file}": ${why}`);
  // QEMU waits for ever for the first byte of a stream that ends without one.
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat === undefined || stat.size === 0) throw fail(stat === undefined ? "there is no such file" : "it is empty");
  await prepare(qmp, withoutMemory, signal);
  const run = makeRunDirectory();
  const path = join(run.path, "state.sock");
  const begin = async (): Promise<void> => {
    await qmp.command("migrate-incoming", { uri: `unix:${path}` }, signal);
    // What QEMU thinks of the bytes is its own to say; that it hung up follows from that.
    pipeline(createReadStream(file, { highWaterMark: CHUNK_BYTES }), connect(path)).catch(() => {});
  };
  try {
    await migrate(qmp, begin, { signal, fail });
  } catch (error) {
    if (!(error instanceof QemuError && error.code === "qmp.closed")) throw error;
    // A QEMU that cannot use a state says so and ends; one that was killed has said nothing of it.
    const exit = await process.exited;
    if (exit.signal !== undefined) throw error;
    throw fail(exit.words || `QEMU ended with status ${exit.status}`);
  } finally {
    run.remove();
  }
}

async function prepare(qmp: QmpClient, withoutMemory: boolean, signal: AbortSignal | undefined): Promise<void> {
  const capabilities = [
    { capability: "events", state: true },
    { capability: "x-ignore-shared", state: withoutMemory },
  ];
  await qmp.command("migrate-set-capabilities", { capabilities }, signal);
  await qmp.command("migrate-set-parameters", { "max-bandwidth": UNLIMITED }, signal);
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
    const told = await qmp.command("query-migrate", undefined, signal);
    throw fail(told["error-desc"] ?? "QEMU does not say why");
  } catch (error) {
    if (error instanceof QemuError && error.code === "qmp.refused") throw fail(error.message);
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
