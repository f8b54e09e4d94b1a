import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { INITRD_SCRIPT } from "../../core/system/index.ts";
import { Boot, runVmTest, type Script, TemplateStore, Zygotes } from "../../vm-tests/driver/index.ts";
import type { Machine, MachineManifest, VmTestManifest } from "../../vm-tests/index.ts";
import { ROOT } from "../checks/source-tree.ts";
import { median, runQuietly, showMs } from "./measure.ts";
import { FLOE } from "./no-op.ts";

const CLONES = 8;
const TESTS = 10;
const IDS = 32;
/** A boot the rival's way takes as long as all else here; one of ten is timed, and counted ten times. */
const RIVAL_BOOTS = 1;
const IDLE = "private memory and share of an idle copy";

/**
 * Machines that are copied: the first command of one, of eight at once, ten tests, what an idle one takes of memory, and how many numbers
 * of 32 are the same. Copies are made from their template, or forked as `floe vm-test run --direct` does: the first of a run from its template, and the second is
 * the one for which a copy is made that is forked from then on. What is forked here begins without one, unless the row says so. Beside them a boot, and the same guest the way NixOS's driver runs it by default: its store from the host over 9p in
 * messages of 16 KiB, one boot for each test.
 */
export function benchMachines(): Promise<void> {
  return withMachines("x86_64-linux", async ({ name, machine, one, run, folder }) => {
    await benchOne({ name, one, run, boot: "< 12 s", copy: "< 0.5 s" });
    line(`${CLONES} copies answer, each from the template`, showMs(await timeMany(run, machine)), "");
    await withForks(run, async (fork) =>
      line(`${CLONES} copies answer`, showMs(await timeMany(fork, machine)), "< 1.5 s"),
    );
    await withForks(run, async (fork) => {
      line(`distinct random numbers of ${IDS} copies`, `${await countIds(fork, machine)}`, `${IDS}`);
      line(`${CLONES} copies answer, later in a run`, showMs(await timeMany(fork, machine)), "");
    });
    let ten = 0;
    await withForks(run, async (fork) => {
      const begin = performance.now();
      for (let test = 0; test < TESTS; test++) await fork(one, (tools) => answer(tools[name]));
      ten = performance.now() - begin;
    });
    line(`${TESTS} tests from copies`, showMs(ten), "< 15 s");
    let rival = 0;
    for (let boot = 0; boot < RIVAL_BOOTS; boot++) rival += await timeRival(machine, folder);
    rival *= TESTS / RIVAL_BOOTS;
    line(`${TESTS} tests with a boot each, store over 9p`, `${showMs(rival)} (${RIVAL_BOOTS} timed)`, "");
    line("ratio", (ten / rival).toFixed(3), "< 0.125");
  });
}

/** The same of a machine that is built on another platform than it has: its boot, and a copy. */
export function benchMachinesOfAarch64(): Promise<void> {
  return withMachines("aarch64-linux", async ({ name, one, run }) => {
    await benchOne({ name, one, run, boot: "< 20 s", copy: "< 0.8 s" });
  });
}

type Machines = Readonly<Record<string, MachineManifest>>;
type Run = (machines: Machines, script: Script, how?: How) => Promise<number>;

/** How machines begin. Default: from their template. */
interface How {
  readonly cold?: boolean;
  readonly zygotes?: Zygotes;
}

interface Bench {
  /** The machine of the story "boot". */
  readonly name: string;
  readonly machine: MachineManifest;
  readonly one: Machines;
  readonly run: Run;
  /** For what is made on the way. */
  readonly folder: string;
}

async function withMachines(platform: string, body: (bench: Bench) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "floe-bench-vm-"));
  try {
    const manifest = await readManifest(platform);
    const store = new TemplateStore(join(folder, "templates"));
    const run: Run = async (machines, script, { cold = false, zygotes } = {}) => {
      const begin = performance.now();
      const result = await runVmTest({
        manifest: { ...manifest, machines, ...(cold ? { boot: "cold" } : {}) },
        storyFile: "",
        script,
        realPath: (path) => path,
        folder: join(folder, "run"),
        accelerator: "tcg",
        templates: { storeOf: () => store, ...(zygotes === undefined ? {} : { zygotes }) },
        log: () => {},
      });
      if (result.error !== undefined) throw result.error;
      return performance.now() - begin;
    };
    const [name = "", machine] = Object.entries(manifest.machines)[0] ?? [];
    if (machine === undefined) throw new Error("the test has no machine");
    console.log(`machines of ${platform} under TCG`);
    await body({ name, machine, one: { [name]: machine }, run, folder });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function line(what: string, value: string, aim: string): void {
  console.log(`  ${what.padEnd(44)} ${value.padEnd(24)} aim: ${aim}`);
}

type BenchOneOptions = Pick<Bench, "name" | "one" | "run"> & { readonly boot: string; readonly copy: string };

async function benchOne({ name, one, run, boot, copy }: BenchOneOptions): Promise<void> {
  const first: Script = (tools) => answer(tools[name]);
  line("boot until the agent answers", showMs(await timeStart(run, one, name)), boot);
  line("boot, settle and freeze, once", showMs(await run(one, first)), "");
  const rounds = async (each: Run): Promise<string> => {
    const times: number[] = [];
    for (let round = 0; round < 5; round++) times.push(await each(one, first));
    return `${showMs(Math.min(...times))}, median ${showMs(median(times))}`;
  };
  line("first command of a run's first copy", await rounds(run), copy);
  line(IDLE, `${await measureIdle(run, one, name)} MB`, "< 150 MB");
  await withForks(run, async (fork) => {
    await fork(one, first);
    line("of the second, for which one is made to fork", showMs(await fork(one, first)), "");
    line("of those after it, which are forked", await rounds(fork), copy);
    line(`${IDLE} that is forked`, `${await measureIdle(fork, one, name)} MB`, "< 150 MB");
  });
}

/** Runs whose copies are forked, beginning with nothing to fork from. */
async function withForks(run: Run, body: (fork: Run) => Promise<void>): Promise<void> {
  const zygotes = new Zygotes();
  try {
    await body((machines, script) => run(machines, script, { zygotes }));
  } finally {
    await zygotes.close();
  }
}

async function answer(machine: Machine | undefined): Promise<void> {
  await ask(machine, "true");
}

/** Start a machine, and the answer of its first command. */
async function ask(machine: Machine | undefined, command: string): Promise<string> {
  if (machine === undefined) throw new Error("there is no such machine");
  await machine.start();
  return machine.succeed`eval ${command}`;
}

async function readManifest(platform: string): Promise<VmTestManifest> {
  const test = `.#vmTests.boot.on.${platform}`;
  await runQuietly(FLOE, ["build", "--no-link", test], ROOT);
  const { boot: _, ...manifest } = JSON.parse(await runQuietly(FLOE, ["eval", "--json", test], ROOT)) as VmTestManifest;
  return manifest;
}

async function timeStart(run: Run, machines: Machines, name: string): Promise<number> {
  let time = 0;
  await run(
    machines,
    async (tools) => {
      const begin = performance.now();
      await tools[name]?.start();
      time = performance.now() - begin;
    },
    { cold: true },
  );
  return time;
}

/** Machines of one template, by other names. */
function many(machine: MachineManifest, count: number): Record<string, MachineManifest> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`m${index}`, machine]));
}

async function timeMany(run: Run, machine: MachineManifest): Promise<number> {
  let time = 0;
  const machines = many(machine, CLONES);
  await run(machines, async (tools) => {
    const begin = performance.now();
    await Promise.all(Object.keys(machines).map((name) => ask(tools[name], "true")));
    time = performance.now() - begin;
  });
  return time;
}

async function countIds(run: Run, machine: MachineManifest): Promise<number> {
  const ids = new Set<string>();
  for (let group = 0; group < IDS / CLONES; group++) {
    const machines = many(machine, CLONES);
    await run(machines, async (tools) => {
      for (const name of Object.keys(machines)) {
        ids.add(await ask(tools[name], "cat /proc/sys/kernel/random/uuid"));
      }
    });
  }
  return ids.size;
}

/** Proportional set size of the QEMU that was started last, after a second of rest. */
async function measureIdle(run: Run, machines: Machines, name: string): Promise<string> {
  let size = 0;
  await run(machines, async (tools) => {
    await tools[name]?.start();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const started = qemusOf(process.pid);
    // Those that are forked are children of another one.
    const pid = started.flatMap(qemusOf).at(-1) ?? started.at(-1);
    size = Number(/^Pss:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "ascii"))?.[1] ?? 0);
  });
  return (size / 1000).toFixed(0);
}

function qemusOf(parent: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const status = readFileSync(`/proc/${pid}/status`, "ascii");
        return /^Name:\s+qemu/m.test(status) && new RegExp(`^PPid:\\s*${parent}$`, "m").test(status);
      } catch {
        // It ended while we looked.
        return false;
      }
    })
    .map(Number);
}

/** One test the rival's way: boot, wait until all units have settled, run a command, leave. */
async function timeRival(machine: MachineManifest, folder: string): Promise<number> {
  const work = mkdtempSync(join(folder, "rival-"));
  const { base } = machine.generations;
  const initrd = join(work, "initrd");
  writeFileSync(initrd, Buffer.concat([readFileSync(base.initrd), oneFile("init", rivalScript())]));
  const { createOverlay } = await import("qemu-wrapper");
  createOverlay({ backing: machine.rootImage, file: join(work, "root.qcow2") });
  const begin = performance.now();
  const boot = await Boot.start({
    name: "rival",
    architecture: machine.architecture,
    accelerator: "tcg",
    memoryMiB: machine.memoryMiB,
    cpus: machine.cpus,
    kernel: {
      image: base.kernel,
      initrd,
      commandLine: `${base.kernelParameters.replace(/floe\.store=\S+/, "floe.store=9p:store")} console=ttyS0,115200 panic=-1`,
    },
    disks: [{ file: join(work, "root.qcow2"), format: "qcow2" }],
    folders: [{ tag: "store", path: "/nix/store", readOnly: true }],
    socketFolder: work,
    folder: work,
    number: 1,
  });
  await boot.waitForAgent(600);
  await boot.agent.exec(["systemctl", "is-system-running", "--wait"]).result;
  await boot.agent.exec(["true"]).result;
  boot.expectEnd();
  await boot.machine.quit();
  return performance.now() - begin;
}

/** The first stage, which mounts the host's store as NixOS's driver has long done by default. */
function rivalScript(): string {
  const mount = "-t 9p -o trans=virtio,version=9p2000.L,msize=16384,cache=loose,ro store";
  const script = INITRD_SCRIPT.replace("  erofs:*)", "  9p:*)")
    .replace('await "${store#erofs:}"', "device=store")
    .replace('-t erofs -o ro "$device"', mount);
  if (!script.includes(mount)) throw new Error("the first stage mounts its store in another way than this bench knows");
  return script;
}

/** An archive of one program, which takes the place of the one of that name in an archive before it. Source: cpio(5), "newc". */
function oneFile(name: string, text: string): Buffer {
  const entry = (path: string, mode: number, content: string): string => {
    const fields = [1, mode, 0, 0, 1, 1, Buffer.byteLength(content), 0, 0, 0, 0, path.length + 1, 0];
    const head = `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}${path}\0`;
    const pad = (part: string): string => part + "\0".repeat((4 - (Buffer.byteLength(part) % 4)) % 4);
    return pad(head) + pad(content);
  };
  return Buffer.from(entry(name, 0o100755, text) + entry("TRAILER!!!", 0, ""));
}
