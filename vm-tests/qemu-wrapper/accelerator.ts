import { accessSync, constants, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { type Accelerator, type Architecture, makeArguments } from "./argv.ts";
import { readCpuSeconds } from "./cpu-time.ts";
import { QemuError } from "./errors.ts";
import { QemuProcess } from "./process.ts";
import { getProgram } from "./programs.ts";
import { LONG_MODE_EXIT_STATUS, longModeRom } from "./rom.ts";
import { makeRunDirectory } from "./run-directory.ts";

/** Which accelerator was chosen, and why. */
export interface AcceleratorChoice {
  readonly accelerator: Accelerator;
  /** A sentence for people. */
  readonly reason: string;
}

/** What became of a probe guest. */
export type ProbeResult =
  | { readonly kind: "ran"; readonly milliseconds: number }
  | { readonly kind: "timeout"; readonly milliseconds: number }
  | { readonly kind: "failed"; readonly reason: string };

export interface ProbeOptions {
  readonly accelerator: Accelerator;
  /** Firmware to run; by default {@link longModeRom}. */
  readonly rom?: Uint8Array;
  /** Wall time it may take. */
  readonly deadlineMs?: number;
  /** CPU time it may take. A usable accelerator needs milliseconds; one that crawls is as useless as one that hangs. */
  readonly cpuSeconds?: number;
  readonly qemu?: string;
}

/** Run a ROM that ends through the debug port, and say whether it did so in time. */
export async function probe(options: ProbeOptions): Promise<ProbeResult> {
  const { accelerator, rom = longModeRom(), deadlineMs = 3000, cpuSeconds = 0.8 } = options;
  const folder = makeRunDirectory();
  const firmware = join(folder.path, "probe.rom");
  await writeFile(firmware, rom);
  const args = makeArguments({
    name: "probe",
    architecture: "x86_64",
    accelerator,
    memoryMiB: 16,
    cpus: 1,
    firmware,
    debugExit: true,
  });
  const begin = performance.now();
  try {
    const qemu = await QemuProcess.start(options.qemu ?? "qemu-system-x86_64", args);
    let late = false;
    const watch = setInterval(() => {
      if (performance.now() - begin < deadlineMs && (readCpuSeconds(qemu.pid) ?? 0) < cpuSeconds) return;
      late = true;
      qemu.kill();
    }, 20);
    const exit = await qemu.exited;
    clearInterval(watch);
    const milliseconds = Math.round(performance.now() - begin);
    if (late) return { kind: "timeout", milliseconds };
    if (exit.status === LONG_MODE_EXIT_STATUS) return { kind: "ran", milliseconds };
    return { kind: "failed", reason: exit.words.split("\n").at(-1) || `QEMU ended with ${exit.signal ?? exit.status}` };
  } finally {
    folder.remove();
  }
}

export interface ChooseAcceleratorOptions {
  /** `auto` takes KVM where guests really run, else TCG; `kvm` makes that a condition. */
  readonly wanted?: "auto" | Accelerator;
  /** Processor of the guests. Default x86_64. */
  readonly architecture?: Architecture;
  readonly qemu?: string;
  /** Device of the kernel's virtual machine monitor. */
  readonly device?: string;
  /** File that keeps the verdict of this boot of the host; `undefined` for the user's cache folder. */
  readonly cacheFile?: string;
}

/**
 * Choose how guests are run.
 *
 * Neither `/dev/kvm` nor QEMU's own answers say whether guests run (a nested hypervisor may start them and hang in long
 * mode), so KVM is chosen only after {@link probe} ran twice. The verdict holds for this boot of the host, this QEMU and this device.
 *
 * @throws {QemuError} `qemu.no-kvm` when KVM was demanded and is not usable; `qemu.missing` without QEMU.
 */
export async function chooseAccelerator(options: ChooseAcceleratorOptions = {}): Promise<AcceleratorChoice> {
  const { wanted = "auto", architecture = "x86_64" } = options;
  // The probe is a program of x86_64, and KVM runs guests of the host's own kind alone.
  if (architecture !== "x86_64") return emulate(architecture, wanted);
  const qemu = options.qemu ?? getProgram("qemu-system-x86_64");
  if (wanted === "tcg") return { accelerator: "tcg", reason: "TCG was asked for" };
  const device = options.device ?? "/dev/kvm";
  const cacheFile = options.cacheFile ?? defaultCacheFile();
  const key = verdictKey(qemu, device);
  const verdict = readVerdict(cacheFile, key) ?? (await judgeKvm(qemu, device));
  rememberVerdict(cacheFile, key, verdict);
  if (verdict.usable) return { accelerator: "kvm", reason: verdict.reason };
  if (wanted === "kvm") {
    throw new QemuError("qemu.no-kvm", `Cannot use KVM: ${verdict.reason}`, {
      hint: "Leave the choice to the driver, or give this user access to a /dev/kvm whose guests run.",
    });
  }
  return { accelerator: "tcg", reason: `KVM is not usable: ${verdict.reason}` };
}

function emulate(architecture: Architecture, wanted: "auto" | Accelerator): AcceleratorChoice {
  const reason = `${architecture} is emulated`;
  if (wanted !== "kvm") return { accelerator: "tcg", reason };
  throw new QemuError("qemu.no-kvm", `Cannot use KVM: ${reason}`, { hint: "Leave the choice to the driver." });
}

/** Note that KVM failed a real guest, so that the next run does not try it again. */
export function rejectKvm(reason: string, options: ChooseAcceleratorOptions = {}): void {
  const key = verdictKey(options.qemu ?? getProgram("qemu-system-x86_64"), options.device ?? "/dev/kvm");
  rememberVerdict(options.cacheFile ?? defaultCacheFile(), key, { usable: false, reason });
}

interface Verdict {
  readonly usable: boolean;
  readonly reason: string;
}

async function judgeKvm(qemu: string, device: string): Promise<Verdict> {
  try {
    if (!statSync(device).isCharacterDevice()) return { usable: false, reason: `${device} is not a device` };
    accessSync(device, constants.R_OK | constants.W_OK);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const reason = code === "ENOENT" ? `there is no ${device}` : `this user may not open ${device}; group kvm may`;
    return { usable: false, reason };
  }
  for (let round = 0; round < 2; round++) {
    const result = await probe({ accelerator: "kvm", qemu });
    if (result.kind === "failed") return { usable: false, reason: result.reason };
    if (result.kind === "timeout") {
      return {
        usable: false,
        reason: `${device} is present but its guests do not run (probe guest not done in ${result.milliseconds} ms)`,
      };
    }
    if (round === 1) return { usable: true, reason: `a probe guest ran under KVM in ${result.milliseconds} ms` };
  }
  return { usable: false, reason: "the probe did not run" };
}

function defaultCacheFile(): string {
  return join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "floe", "vm-accelerator.json");
}

/** Names what a verdict depends on: the host's boot, the device and the QEMU program. */
function verdictKey(qemu: string, device: string): string {
  const facts: string[] = [qemu, device];
  try {
    facts.push(readFileSync("/proc/sys/kernel/random/boot_id", "ascii").trim());
    const program = statSync(qemu);
    facts.push(`${program.size}:${program.mtimeMs}`, `${statSync(device).rdev}`);
  } catch {
    // What cannot be read distinguishes nothing.
  }
  return facts.join(" ");
}

function readVerdict(file: string, key: string): Verdict | undefined {
  try {
    const kept = JSON.parse(readFileSync(file, "utf8")) as { key?: unknown; usable?: unknown; reason?: unknown };
    if (kept.key !== key || typeof kept.usable !== "boolean" || typeof kept.reason !== "string") return undefined;
    return { usable: kept.usable, reason: kept.reason };
  } catch {
    return undefined;
  }
}

function rememberVerdict(file: string, key: string, verdict: Verdict): void {
  try {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(`${file}.${process.pid}`, JSON.stringify({ key, ...verdict }));
    renameSync(`${file}.${process.pid}`, file);
  } catch {
    // A read-only home costs one probe per run and nothing else.
  }
}
