import { realpathSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { type MachineShape, makeArguments, SLOT } from "./argv.ts";
import { QemuError } from "./errors.ts";
import { type Exchange, ForkChannel, notForked } from "./fork-channel.ts";
import { type Nic, netdevProperties, nicProperties } from "./nics.ts";
import { qemuProgram } from "./platforms.ts";
import { type QemuExit, QemuProcess } from "./process.ts";
import { QmpClient, withAbort } from "./qmp.ts";

/** A machine without the sockets, which {@link VirtualMachine.start} makes itself. */
export type VirtualMachineShape = Omit<MachineShape, "ports" | "control" | "console"> & {
  /** Names of the byte streams between host and guest. */
  readonly ports?: readonly string[];
};

export interface StartOptions {
  readonly shape: VirtualMachineShape;
  /** Folder for the sockets, with a short path; see `makeRunDirectory`. */
  readonly folder: string;
  /** Called with the console's bytes from the first one on. */
  onConsole(data: Buffer): void;
  /** QEMU program; by default the one for the shape's architecture on the search path. */
  readonly qemu?: string;
  /** Loaded into QEMU, so that it can be forked; see {@link VirtualMachine.fork}. */
  readonly forkLibrary?: string;
  /** Nobody wants it any more. */
  readonly signal?: AbortSignal | undefined;
}

export interface ForkOptions extends Pick<StartOptions, "folder" | "onConsole" | "signal"> {
  /**
   * Files that QEMU writes to, by the names it has for them and those the copy has; and the sockets of network cards. Memory, control channel,
   * console and ports are seen to.
   */
  readonly exchanges: readonly Exchange[];
}

/** How long QEMU may take to connect to the sockets it was given; it does so before it runs any guest code. */
const CONNECT_MS = 30_000;

/** One boot of one machine: the process, its control channel, its console and its ports. */
export class VirtualMachine {
  readonly process: QemuProcess;
  readonly qmp: QmpClient;
  readonly console: Socket;
  readonly ports: ReadonlyMap<string, Socket>;
  readonly #own: Own;

  private constructor(process: QemuProcess, qmp: QmpClient, sockets: ReadonlyMap<string, Socket>, own: Own) {
    this.process = process;
    this.qmp = qmp;
    const { control: _, console, ...ports } = Object.fromEntries(sockets);
    this.console = console as Socket;
    this.ports = new Map(Object.entries(ports));
    this.#own = own;
  }

  /**
   * Start a machine and wait until QEMU has connected everything. The guest's first instruction comes after that.
   *
   * @throws {QemuError} `qemu.missing`; `qemu.not-started` with QEMU's words when it ends at once, `qemu.no-memory` when that is why;
   *   `qemu.not-forkable` when it has to be and is not.
   */
  static async start(options: StartOptions): Promise<VirtualMachine> {
    const { shape, folder } = options;
    const doors = await openDoors(["control", "console", ...(shape.ports ?? [])], folder);
    let qemu: QemuProcess | undefined;
    let forks: ForkChannel | undefined;
    try {
      if (options.forkLibrary !== undefined) forks = await ForkChannel.listen(join(folder, FORKS), options.forkLibrary);
      const pathOf = (name: string): string => doors.find((door) => door.name === name)?.path ?? "";
      const args = makeArguments({
        ...shape,
        control: pathOf("control"),
        console: pathOf("console"),
        ports: (shape.ports ?? []).map((name) => ({ name, socket: pathOf(name) })),
      });
      const running = await QemuProcess.start(
        options.qemu ?? qemuProgram(shape.architecture),
        args,
        forks?.environment,
      );
      qemu = running;
      const sockets = await connected(doors, running, options.signal);
      record(sockets, options);
      const control = sockets.get("control") as Socket;
      // QEMU connects its sockets before it opens its disks, so it may still end without a greeting.
      const qmp = await QmpClient.connect(control, options.signal).catch(async (error: unknown) => {
        if (error instanceof QemuError && error.code === "qmp.closed") throw notStarted(await running.exited);
        throw error;
      });
      if (forks !== undefined) await withAbort(forks.ready(), options.signal);
      const { memoryFile } = shape;
      return new VirtualMachine(running, qmp, sockets, { doors, forks, memoryFile });
    } catch (error) {
      forks?.close();
      qemu?.kill();
      await qemu?.exited;
      throw error;
    } finally {
      for (const door of doors) door.close();
    }
  }

  /**
   * A copy of this machine, which was started with a library for that and is stopped, as the copy is at first. It has what QEMU has translated of its
   * guest's code, and costs what it writes to. It ends with this one.
   *
   * Nothing may be on its way on control channel and ports. The copy has the number of its generation in common with this one.
   *
   * @throws {QemuError} `qemu.not-forked` with the reason.
   */
  async fork({ folder, onConsole, exchanges, signal }: ForkOptions): Promise<VirtualMachine> {
    const { forks, doors, memoryFile } = this.#own;
    if (forks === undefined) throw notForked("it was not started for that");
    const { running } = await forks.answerInTime((each) => this.qmp.command("query-status", undefined, each), signal);
    if (running) throw notForked("its machine is running");
    const copied = await openDoors([...doors.map(({ name }) => name), COMPLAINTS], folder);
    try {
      const exchanged = [
        ...copied.map(({ path }, index): Exchange => [doors[index]?.path ?? COMPLAINTS, path]),
        // It maps that privately already.
        ...(memoryFile === undefined ? [] : sharedByName(memoryFile.file)),
        ...exchanges.flatMap(withRealName),
      ];
      const { pid, ended, kill } = await forks.fork(exchanged, signal);
      try {
        const connecting = Promise.race([copied.at(-1)?.socket, ended.then(() => undefined)]);
        const complaints = await withAbort(connecting, signal);
        if (complaints === undefined) throw notForked("the copy has ended");
        const copy = QemuProcess.ofFork(this.process.argv, { pid, ended, kill }, complaints);
        const sockets = await connected(copied, copy, signal);
        sockets.delete(COMPLAINTS);
        record(sockets, { onConsole });
        const qmp = QmpClient.takeOver(sockets.get("control") as Socket);
        return new VirtualMachine(copy, qmp, sockets, { doors: copied, memoryFile });
      } catch (error) {
        kill();
        await ended;
        throw error;
      }
    } finally {
      for (const door of copied) door.close();
    }
  }

  /**
   * Put a network card into a free slot while the machine runs. The guest finds it when its kernel handles hot-plug.
   *
   * @param slot Index below the shape's `freeSlots`.
   * @throws {QemuError} `qmp.refused` when the slot is taken or not there, or the backend cannot be made.
   */
  async plugNic(nic: Nic, slot: number): Promise<void> {
    await this.qmp.command("netdev_add", netdevProperties(nic));
    try {
      await this.qmp.command("device_add", nicProperties(nic, `${SLOT}${slot}`));
    } catch (error) {
      await this.qmp.command("netdev_del", { id: nic.id }).catch(() => undefined);
      throw error;
    }
  }

  /** Take the plug out of a network card, or put it back. */
  async setLink(nicId: string, up: boolean): Promise<void> {
    await this.qmp.command("set_link", { name: nicId, up });
  }

  /** End QEMU in an orderly way (its images are flushed), by force when that takes more than five seconds. */
  async quit(): Promise<QemuExit> {
    const force = setTimeout(() => this.process.kill(), 5000);
    try {
      await this.qmp.command("quit").catch(() => undefined);
      return await this.process.exited;
    } finally {
      clearTimeout(force);
    }
  }

  /** Cut the power: QEMU dies at once, and what its images had not been given is lost. */
  async cutPower(): Promise<QemuExit> {
    this.process.kill();
    return this.process.exited;
  }
}

/** What a machine is forked by. */
interface Own {
  readonly doors: readonly Pick<Door, "name" | "path">[];
  readonly forks?: ForkChannel | undefined;
  readonly memoryFile: MachineShape["memoryFile"];
}

/** Socket of the channel by which QEMU is forked. */
const FORKS = "forks.sock";

/** The name the library has for standard error, and that of the door to which it leads in a copy. */
const COMPLAINTS = "stderr";

/** Take in what a machine says from its first byte on. */
function record(sockets: ReadonlyMap<string, Socket>, { onConsole }: Pick<StartOptions, "onConsole">): void {
  sockets.get("console")?.on("data", onConsole);
  for (const socket of sockets.values()) socket.on("error", () => {});
}

/** The kernel tells of an open file by its name without links; QEMU opens it again by the name that it was given. */
function withRealName([from, to]: Exchange): Exchange[] {
  const real = realName(from);
  return real === from
    ? [[from, to]]
    : [
        [from, to],
        [real, to],
      ];
}

/** What a copy has in common with the machine it comes from. */
function sharedByName(file: string): Exchange[] {
  const real = realName(file);
  return [[real, real]];
}

function realName(name: string): string {
  try {
    return realpathSync(name);
  } catch {
    // A socket whose listener is gone has a name still.
    return name;
  }
}

interface Door {
  readonly name: string;
  readonly path: string;
  readonly socket: Promise<Socket>;
  close(): void;
}

function openDoors(names: readonly string[], folder: string): Promise<Door[]> {
  return Promise.all(names.map((name, index) => openDoor(join(folder, `${index}.sock`), name)));
}

/** Listen before QEMU starts, so that there is nothing to wait for and no moment at which it finds nobody. */
async function openDoor(path: string, name: string): Promise<Door> {
  const server: Server = createServer({ pauseOnConnect: false });
  const socket = new Promise<Socket>((resolve) => server.once("connection", resolve));
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) =>
      reject(new QemuError("qemu.no-socket", `Cannot listen on "${path}": ${cause.message}`, { cause })),
    );
    server.listen(path, resolve);
  });
  return {
    name,
    path,
    socket,
    close: () => {
      server.close();
      rmSync(path, { force: true });
    },
  };
}

async function connected(
  doors: readonly Door[],
  qemu: QemuProcess,
  signal?: AbortSignal,
): Promise<Map<string, Socket>> {
  let stop = (): void => {};
  const failure = new Promise<never>((_resolve, reject) => {
    const timer = setTimeout(
      () => reject(new QemuError("qemu.not-started", "Cannot start QEMU: it did not connect")),
      CONNECT_MS,
    );
    const abort = (): void => reject(signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    if (signal?.aborted === true) abort();
    stop = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    };
    void qemu.exited.then((exit) => reject(notStarted(exit)));
  });
  try {
    const pairs = doors.map(async (door): Promise<[string, Socket]> => [door.name, await door.socket]);
    return new Map(await Promise.race([Promise.all(pairs), failure]));
  } finally {
    stop();
  }
}

function notStarted(exit: QemuExit): QemuError {
  const details = exit.words.split("\n");
  // Its complaint ends it; what it warns of before that does not.
  const complaint = details.find((line) => line !== "" && !line.includes("warning:")) ?? "it says nothing";
  const why = `${complaint.replace(/^qemu-system-\w+: /, "")} (${exit.signal ?? `status ${exit.status}`})`;
  if (/cannot set up guest memory|Cannot allocate memory/.test(complaint)) {
    const hint = "Give the machine less memory, or let fewer machines run at once.";
    return new QemuError("qemu.no-memory", `Cannot start QEMU: the host has no memory for it: ${why}`, {
      details,
      hint,
    });
  }
  return new QemuError("qemu.not-started", `Cannot start QEMU: ${why}`, { details });
}
