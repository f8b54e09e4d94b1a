import { accessSync, constants, statSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { makeArguments } from "./argv.ts";
import { readCpuSeconds } from "./cpu-time.ts";
import { QemuError } from "./errors.ts";
import { type Accelerator, type Architecture, hostArchitecture, qemuProgram } from "./platforms.ts";
import { QemuProcess } from "./process.ts";
import { getProgram } from "./programs.ts";
import { probeGuest, type TinyGuest } from "./rom.ts";
import { makeRunDirectory } from "./run-directory.ts";
import {
  defaultVerdictFile,
  hostBootId,
  programIdentity,
  readVerdict,
  rememberVerdict,
  type Verdict,
} from "./verdicts.ts";

/** Which accelerator was chosen, and why. */
export interface AcceleratorChoice {
  readonly accelerator: Accelerator;
  /** A sentence for people. */
  readonly reason: string;
  /** Whether guests were run to find out just now, it was known from before, or nothing had to be found out. */
  readonly source: "probe" | "cache" | "rule";
}

/** What became of a probe guest. */
export type ProbeResult =
  | { readonly kind: "ran"; readonly milliseconds: number }
  | { readonly kind: "timeout"; readonly milliseconds: number }
  | { readonly kind: "failed"; readonly reason: string };

export interface ProbeOptions {
  readonly accelerator: Accelerator;
  /** Default: x86_64. */
  readonly architecture?: Architecture;
  /** What is run; by default {@link probeGuest}. */
  readonly guest?: TinyGuest;
  /** Wall time it may take. */
  readonly deadlineMs?: number;
  /** CPU time it may take. A usable accelerator needs milliseconds; one that crawls is as useless as one that hangs. */
  readonly cpuSeconds?: number;
  readonly qemu?: string;
}

/** Run a guest that ends by itself, and say whether it did so in time. */
export async function probe(options: ProbeOptions): Promise<ProbeResult> {
  const { accelerator, architecture = "x86_64", deadlineMs = 3000, cpuSeconds = 0.8 } = options;
  const { exitStatus } = probeGuest(architecture);
  const guest = options.guest ?? probeGuest(architecture);
  const folder = makeRunDirectory();
  const file = join(folder.path, "guest");
  await writeFile(file, guest.bytes);
  const args = makeArguments({
    name: "probe",
    architecture,
    accelerator,
    ...tinyGuestShape(guest, file),
    debugExit: architecture === "x86_64",
  });
  const begin = performance.now();
  try {
    const qemu = await QemuProcess.start(options.qemu ?? qemuProgram(architecture), args);
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
    if (exit.status === exitStatus) return { kind: "ran", milliseconds };
    return { kind: "failed", reason: exit.words.split("\n").at(-1) || `QEMU ended with ${exit.signal ?? exit.status}` };
  } finally {
    folder.remove();
  }
}

/** The part of a machine's shape that runs a tiny guest from a file. */
export function tinyGuestShape(
  guest: TinyGuest,
  file: string,
): { memoryMiB: number; cpus: number; firmware?: string; kernel?: { image: string } } {
  // QEMU finds no place for the device tree of an ARM machine with less.
  const size = { memoryMiB: guest.architecture === "x86_64" ? 16 : 64, cpus: 1 };
  return guest.as === "firmware" ? { ...size, firmware: file } : { ...size, kernel: { image: file } };
}

export interface ChooseAcceleratorOptions {
  /** `auto` takes what runs guests fastest and really does, else TCG; `kvm` or `hvf` makes that a condition. */
  readonly wanted?: "auto" | Accelerator;
  /** Whose guests they are. Default: x86_64. */
  readonly architecture?: Architecture;
  readonly qemu?: string;
  /** Device of the kernel's virtual machine monitor. */
  readonly device?: string;
  /** File that keeps the verdict of this boot of the host; `undefined` for the user's cache folder. */
  readonly cacheFile?: string;
  /** Ask again, whatever is known. */
  readonly reprobe?: boolean;
  /** The host: by default this one. */
  readonly host?: { readonly platform: NodeJS.Platform; readonly architecture: Architecture | undefined };
}

/** What a demand that cannot be met is called. */
const DEMANDED = { kvm: "qemu.no-kvm", hvf: "qemu.no-hvf" } as const;

/**
 * Choose how guests are run.
 *
 * Neither `/dev/kvm` nor QEMU's own answers say whether guests run (a nested hypervisor may start them and hang in long
 * mode), so KVM and HVF are chosen only after {@link probe} ran twice. The verdict holds for this boot of the host, this QEMU and this
 * device.
 *
 * @throws {QemuError} `qemu.no-kvm` or `qemu.no-hvf` when that was demanded and is not usable; `qemu.missing` without QEMU.
 */
export async function chooseAccelerator(options: ChooseAcceleratorOptions = {}): Promise<AcceleratorChoice> {
  const { wanted = "auto", architecture = "x86_64" } = options;
  const qemu = options.qemu ?? getProgram(qemuProgram(architecture));
  if (wanted === "tcg") return { accelerator: "tcg", reason: "TCG was asked for", source: "rule" };
  const { verdict, accelerator, source } = await judge(qemu, architecture, options);
  if (verdict.usable && accelerator !== undefined && (wanted === "auto" || wanted === accelerator))
    return { accelerator, reason: verdict.reason, source };
  if (wanted !== "auto") {
    const why = verdict.usable ? `this host has ${accelerator}` : verdict.reason;
    throw new QemuError(DEMANDED[wanted], `Cannot use ${wanted.toUpperCase()}: ${why}`, {
      hint: "Leave the choice to the driver, or give this user access to a device whose guests run.",
    });
  }
  const what = accelerator === undefined ? "" : `${accelerator.toUpperCase()} is not usable: `;
  return { accelerator: "tcg", reason: `${what}${verdict.reason}`, source };
}

/** Note that KVM failed a real guest, so that the next run does not try it again. */
export function rejectKvm(reason: string, options: ChooseAcceleratorOptions = {}): void {
  const qemu = options.qemu ?? getProgram(qemuProgram(options.architecture ?? "x86_64"));
  rememberVerdict(verdictFile(options), verdictKey(qemu, options.device ?? "/dev/kvm"), { usable: false, reason });
}

interface Judgement {
  readonly verdict: Verdict;
  /** The host's own accelerator; `undefined` when it has none for these guests. */
  readonly accelerator?: "kvm" | "hvf";
  readonly source: AcceleratorChoice["source"];
}

async function judge(qemu: string, architecture: Architecture, options: ChooseAcceleratorOptions): Promise<Judgement> {
  const { platform, architecture: own } = options.host ?? {
    platform: process.platform,
    architecture: hostArchitecture(),
  };
  const rule = (reason: string): Judgement => ({ verdict: { usable: false, reason }, source: "rule" });
  if (own !== architecture) return rule(`guests of ${architecture} are translated on a host of ${own ?? process.arch}`);
  const accelerator = platform === "linux" ? "kvm" : platform === "darwin" ? "hvf" : undefined;
  if (accelerator === undefined) return rule(`${platform} has no accelerator this program knows`);
  const device = accelerator === "kvm" ? (options.device ?? "/dev/kvm") : "";
  const key = verdictKey(qemu, device);
  const file = verdictFile(options);
  const known = options.reprobe === true ? undefined : readVerdict(file, key);
  if (known !== undefined) return { verdict: known, accelerator, source: "cache" };
  const fault = device === "" ? undefined : deviceFault(device);
  const verdict =
    fault === undefined ? await tryGuests(accelerator, architecture, qemu) : { usable: false, reason: fault };
  rememberVerdict(file, key, verdict);
  return { verdict, accelerator, source: "probe" };
}

/** Why a device cannot even be opened. */
function deviceFault(device: string): string | undefined {
  try {
    if (!statSync(device).isCharacterDevice()) return `${device} is not a device`;
    accessSync(device, constants.R_OK | constants.W_OK);
    return undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === "ENOENT" ? `there is no ${device}` : `this user may not open ${device}; group kvm may`;
  }
}

/** Twice, since what hangs may do so now and then. */
async function tryGuests(accelerator: "kvm" | "hvf", architecture: Architecture, qemu: string): Promise<Verdict> {
  let reason = "";
  for (let round = 0; round < 2; round++) {
    const result = await probe({ accelerator, architecture, qemu });
    if (result.kind === "failed") return { usable: false, reason: result.reason };
    if (result.kind === "timeout") {
      const found = `its guests do not run (probe guest not done in ${result.milliseconds} ms)`;
      return { usable: false, reason: `${accelerator.toUpperCase()} is present but ${found}` };
    }
    reason = `a probe guest ran under ${accelerator.toUpperCase()} in ${result.milliseconds} ms`;
  }
  return { usable: true, reason };
}

function verdictFile({ cacheFile }: ChooseAcceleratorOptions): string {
  return cacheFile ?? defaultVerdictFile("vm-accelerator");
}

/** Names what a verdict depends on: the host's boot, the QEMU program and the device. */
function verdictKey(qemu: string, device: string): string {
  let number = "";
  try {
    number = device === "" ? "" : `${statSync(device).rdev}`;
  } catch {
    // No device: its absence is the verdict, and another key than its presence.
  }
  return [programIdentity(qemu), device, number, hostBootId()].join("\n");
}
