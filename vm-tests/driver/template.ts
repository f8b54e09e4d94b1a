import { hash } from "node:crypto";
import { closeSync, fstatSync, openSync, readFileSync, readSync } from "node:fs";
import type { Accelerator, CloningMethod } from "qemu-wrapper";
import type { MachineManifest } from "../manifest.ts";
import type { Boot } from "./boot.ts";
import { comeToRest } from "./come-to-rest.ts";
import { Deadline } from "./deadline.ts";
import { freeze } from "./frozen.ts";
import type { TemplateFacts, TemplateHolder } from "./template-store.ts";
import { withDeadline } from "./wait.ts";
import type { Zygotes } from "./zygotes.ts";

/** How a run makes and finds templates. */
export interface Templates {
  readonly store: TemplateHolder;
  readonly method: CloningMethod;
  /** QEMU's program, as told by {@link programIdentity}: states of one are not for another. */
  readonly qemu: string;
  /** Makes copies of one machine quicker after the first ones. */
  readonly forks?: { readonly zygotes: Zygotes; readonly library: string };
}

/** Changes whenever a template would be made or used in another way. */
const FORMAT = "floe-vm-template-3";

/** Seconds of the guest until its units have settled. */
const SETTLE_SECONDS = 180;

/** Bytes at the beginning and at the end of an image by which two images with one name are told apart. */
const SAMPLE_BYTES = 256 * 1024;

export interface TemplateKeyOptions extends Templates {
  readonly manifest: MachineManifest;
  readonly accelerator: Accelerator;
  readonly commandLine: string;
  readonly realPath: (storePath: string) => string;
}

/**
 * The key of a machine's template: everything that decides what it is after its boot. Store paths name the kernel, the initial RAM disk
 * and the images, and with them the agent; samples of the images tell apart what was built twice under one name.
 */
export function templateKeyOf(options: TemplateKeyOptions): string {
  const { manifest, accelerator, method, qemu, commandLine, realPath } = options;
  const images = [manifest.storeImage, manifest.rootImage, manifest.recordedImage ?? "", manifest.bootImage ?? ""];
  return templateKey([
    FORMAT,
    qemu,
    manifest.architecture,
    accelerator,
    // A translated processor is the same everywhere; the host's own is not.
    accelerator === "tcg" ? "" : hostProcessor(),
    method,
    JSON.stringify(manifest),
    commandLine,
    ...images.filter((image) => image !== "").map((image) => sampleOf(realPath(image))),
  ]);
}

/**
 * Bring a machine that has just been started to the state that copies begin with, and freeze it: all that belongs to its boot is done, its
 * disk is synced, nothing goes on in it, and the programs every test uses are in its memory.
 */
export async function settleAndFreeze(
  boot: Boot,
  folder: string,
  options: { readonly method: CloningMethod; readonly machine: string; readonly facts: TemplateFacts },
): Promise<TemplateFacts> {
  if ((await boot.agent.hello).version.endsWith("-bash"))
    return { ...options.facts, refused: "an agent in bash cannot give copies random numbers of their own" };
  const deadline = new Deadline(SETTLE_SECONDS, boot.clock);
  const asked = boot.agent.exec(["systemctl", "is-system-running", "--wait"]);
  const settled = await withDeadline(asked.result, deadline, boot.signal, () => new Error("late")).catch((error) => {
    boot.signal.throwIfAborted();
    if (error instanceof Error && error.message === "late") return undefined;
    throw error;
  });
  const state = settled?.stdout.toString().trim() ?? "";
  if (state !== "running" && state !== "degraded") {
    const refused =
      settled === undefined ? `its units did not settle within ${SETTLE_SECONDS} s of the guest` : `it is "${state}"`;
    return { ...options.facts, refused };
  }
  await boot.agent.exec(["bash", "-c", "sync; cat /proc/uptime"]).result;
  // What is under way when it is frozen would be done by each copy anew, just when its first command is waited for.
  await comeToRest(boot.machine.process.pid, boot.clock, boot.signal);
  await freeze(boot, { folder, method: options.method });
  return options.facts;
}

/** The key of what a template is made of: a digest of its facts, in a fixed order. */
export function templateKey(facts: readonly string[]): string {
  return hash("sha256", JSON.stringify(facts));
}

function sampleOf(file: string): string {
  const fd = openSync(file, "r");
  try {
    const { size } = fstatSync(fd);
    const sample = Buffer.alloc(2 * SAMPLE_BYTES);
    readSync(fd, sample, 0, SAMPLE_BYTES, 0);
    readSync(fd, sample, SAMPLE_BYTES, SAMPLE_BYTES, Math.max(0, size - SAMPLE_BYTES));
    return `${size} ${hash("sha256", sample)}`;
  } finally {
    closeSync(fd);
  }
}

/** What the host's processor can do, as its kernel tells. */
function hostProcessor(): string {
  try {
    const [first = ""] = readFileSync("/proc/cpuinfo", "utf8").split("\n\n");
    return hash("sha256", (first.match(/^(model name|flags|Features|microcode)\s*:.*$/gm) ?? []).join("\n"));
  } catch {
    return "";
  }
}
