import { CodedError } from "../../core/base/index.ts";
import type { Disk } from "../machine.ts";
import { checkSucceeded } from "./commands.ts";
import type { GuestCalls } from "./guest-calls.ts";
import type { GuestContext } from "./guest-context.ts";
import { quote } from "./shell.ts";

/** EIO, as Linux and QEMU number it. */
const ERROR_NUMBER = 5;
/** Name of the file that fills a file system. */
const FILLING = ".floe-filling";

/** A disk of a machine that is running: QEMU's names for it begin with `disk` and its number. */
export class GuestDisk implements Disk {
  readonly name: string;
  readonly #index: number;
  readonly #removable: boolean;
  readonly #context: GuestContext;
  readonly #calls: GuestCalls;

  /** @throws {CodedError} `machine.no-disk` */
  constructor(name: string, context: GuestContext, calls: GuestCalls) {
    const { disks } = context.host;
    const index = disks.findIndex((disk) => disk.name === name);
    const found = disks[index];
    if (found === undefined) {
      throw new CodedError(
        "machine.no-disk",
        `Cannot find the disk "${name}" of "${context.name}": it has ${disks.map((disk) => disk.name).join(", ")}`,
        {
          hint: "Name it in the machine's disks.",
        },
      );
    }
    this.name = name;
    this.#index = index;
    this.#removable = found.removable;
    this.#context = context;
    this.#calls = calls;
  }

  get path(): string {
    return `/dev/vd${String.fromCharCode("a".charCodeAt(0) + this.#index)}`;
  }

  slow({ bytesPerSecond = 0, operationsPerSecond = 0 }: Parameters<Disk["slow"]>[0]): Promise<void> {
    return this.#do("slow", () =>
      this.#qmp("block_set_io_throttle", {
        // What has a name of QEMU's old kind goes by that, the others by the part of their device that reads and writes.
        ...(this.#removable ? { id: `/machine/peripheral/${this.#id}-device/virtio-backend` } : { device: this.#id }),
        bps: bytesPerSecond,
        bps_rd: 0,
        bps_wr: 0,
        iops: operationsPerSecond,
        iops_rd: 0,
        iops_wr: 0,
      }),
    );
  }

  break(what: "reads" | "writes" | "both" = "both"): Promise<void> {
    return this.#do("break", async () => {
      this.#checkRemovable("break");
      const kinds = what === "both" ? ["read", "write"] : [what === "reads" ? "read" : "write"];
      await this.#qmp("blockdev-add", {
        driver: "blkdebug",
        "node-name": `${this.#id}-broken`,
        image: `${this.#id}-file`,
        "inject-error": kinds.map((iotype) => ({
          event: "none",
          iotype,
          errno: ERROR_NUMBER,
          once: false,
          immediately: true,
        })),
      });
      await this.#through(`${this.#id}-broken`);
    });
  }

  heal(): Promise<void> {
    return this.#do("heal", async () => {
      await this.#through(`${this.#id}-file`);
      await this.#qmp("blockdev-del", { "node-name": `${this.#id}-broken` });
    });
  }

  detach(): Promise<void> {
    return this.#do("detach", async () => {
      this.#checkRemovable("detach");
      const { machine, signal } = this.#context.boot();
      const stop = new AbortController();
      const gone = machine.qmp.waitForEvent("DEVICE_DELETED", {
        signal: AbortSignal.any([stop.signal, signal]),
        isMeant: ({ device }) => device === `${this.#id}-device`,
      });
      gone.catch(() => {});
      try {
        await this.#qmp("device_del", { id: `${this.#id}-device` });
        await this.#context.limited(gone, `detach the disk "${this.name}"`);
      } finally {
        stop.abort();
      }
    });
  }

  attach(): Promise<void> {
    return this.#do("attach", async () => {
      this.#checkRemovable("attach");
      await this.#qmp("device_add", {
        driver: "virtio-blk-pci",
        id: `${this.#id}-device`,
        drive: `${this.#id}-node`,
        bus: `${this.#id}-slot`,
      });
      await this.#context.watch(`see the disk "${this.name}"`, { kind: "path", path: this.path });
    });
  }

  fill(mountPoint: string, leaveKiB = 0): Promise<() => Promise<void>> {
    return this.#do("fill", async () => {
      const file = `${mountPoint.replace(/\/$/, "")}/${FILLING}`;
      // Root may use blocks that are kept for it, so that what df calls free is not all there is: writing ends when nothing is left.
      const text =
        `rm -f ${quote(file)}; dd if=/dev/zero of=${quote(file)} bs=1M 2> /dev/null || true; sync\n` +
        `size=$(stat -c %s ${quote(file)}); truncate -s $(( size > ${leaveKiB * 1024} ? size - ${leaveKiB * 1024} : 0 )) ${quote(file)}; sync`;
      checkSucceeded(this.#context.name, text, await this.#context.run(text));
      return () =>
        this.#do("empty", async () => {
          await this.#context.succeed(["rm", "-f", "--", file]);
        });
    });
  }

  get #id(): string {
    return `disk${this.#index}`;
  }

  #do<T>(verb: string, body: () => Promise<T>): Promise<T> {
    return this.#calls.call(`${verb} the disk "${this.name}"`, async () => {
      const value = await body();
      this.#context.host.log({ kind: "machine", machine: this.#context.name, text: `disk "${this.name}": ${verb}` });
      return value;
    });
  }

  #checkRemovable(verb: string): void {
    if (this.#removable) return;
    throw new CodedError(
      "machine.fixed-disk",
      `Cannot ${verb} the disk "${this.name}" of "${this.#context.name}": the machine lives on it`,
      {
        hint: "Give the machine a disk of its own for this: disks: { data: 64 }.",
      },
    );
  }

  async #qmp(command: string, args: Readonly<Record<string, unknown>>): Promise<void> {
    await this.#context.boot().machine.qmp.command(command, args);
  }

  /** Let the disk be this node: its file, or one that breaks what goes through it. */
  #through(file: string): Promise<void> {
    const node = { driver: "raw", "node-name": `${this.#id}-node`, file, discard: "unmap" };
    return this.#qmp("blockdev-reopen", { options: [{ ...node, cache: { direct: false, "no-flush": true } }] });
  }
}
