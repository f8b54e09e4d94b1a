import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { execFile, execFileSync } from "node:child_process";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

/** What was found out about this host, and may be believed as long as its key is the same. */
export interface Verdict {
  readonly usable: boolean;
  /** A sentence for people. */
  readonly reason: string;
}

/** What a probe with a deadline found out. */
export interface ProbeVerdict extends Verdict {
  /** It had not ended in its time, which says something about the host's load alone. */
  readonly isLate?: boolean;
}

/** Where verdicts of a kind are kept by default: `$XDG_CACHE_HOME/floe/NAME.json`. */
export function defaultVerdictFile(name: string): string {
  return join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "floe", `${name}.json`);
}

/** The verdict in a file; `undefined` when it has none for this key. */
export function readVerdict(file: string, key: string): Verdict | undefined {
  try {
    const kept = JSON.parse(readFileSync(file, "utf8")) as { key?: unknown; usable?: unknown; reason?: unknown };
    if (kept.key !== key || typeof kept.usable !== "boolean" || typeof kept.reason !== "string") return undefined;
    return { usable: kept.usable, reason: kept.reason };
  } catch {
    return undefined;
  }
}

/** Keep the verdict for this key, in place of any other. */
export function rememberVerdict(file: string, key: string, verdict: Verdict): void {
  try {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(`${file}.${process.pid}`, JSON.stringify({ key, ...verdict }));
    renameSync(`${file}.${process.pid}`, file);
  } catch {
    // A read-only home costs one probe per run and nothing else.
  }
}

export interface FindVerdictOptions {
  readonly file: string;
  readonly key: string;
  /** Ask again, whatever is known. */
  readonly reprobe?: boolean | undefined;
  readonly probe: () => Promise<ProbeVerdict>;
}

/** The verdict in a file for this key, or else that of a probe, which is kept unless the probe was late. */
export async function findVerdict({ file, key, reprobe = false, probe }: FindVerdictOptions): Promise<Verdict> {
  const known = reprobe ? undefined : readVerdict(file, key);
  if (known !== undefined) return known;
  const { usable, reason, isLate = false } = await probe();
  if (!isLate) rememberVerdict(file, key, { usable, reason });
  return { usable, reason };
}

/** Changes with each boot of the host; empty where it cannot be told. */
export function hostBootId(): string {
  try {
    if (process.platform === "linux") return readFileSync("/proc/sys/kernel/random/boot_id", "ascii").trim();
    if (process.platform === "darwin")
      return execFileSync("sysctl", ["-n", "kern.bootsessionuuid"], { encoding: "utf8" }).trim();
  } catch {
    // What cannot be read distinguishes nothing.
  }
  return "";
}

/** Changes when a program is replaced by another version. */
export function programIdentity(file: string): string {
  try {
    const { size, mtimeMs } = statSync(file);
    return `${file} ${size} ${mtimeMs}`;
  } catch {
    return file;
  }
}

/** What a QEMU program says of its version: `7.2.22 (Debian 1:7.2+dfsg-7)`; empty when it cannot be run. */
export function qemuVersion(program: string): Promise<string> {
  return new Promise((resolve) => {
    execFile(program, ["--version"], (error, stdout) => {
      resolve(error === null ? (/version (.+)/.exec(stdout)?.[1] ?? "").trim() : "");
    });
  });
}
