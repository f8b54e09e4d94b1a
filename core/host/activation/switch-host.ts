import { spawnSync } from "node:child_process";
import { CodedError } from "../../base/index.ts";
import type { LoadedUnit } from "../../system/switch/index.ts";

/** The acts of a switch that need a running machine. */
export interface SwitchHost {
  /** All units that the manager has loaded. */
  listUnits(): LoadedUnit[];
  /** Run `systemctl` with its output shown; gives its exit status. */
  systemctl(...words: readonly string[]): number;
  /** The value of a unit's property. */
  property(unit: string, name: string): string;
  /** Run a system's activation; gives its exit status. */
  activate(toplevel: string, action: string): number;
  swapOff(device: string): number;
  /** Let units settle. */
  sleep(timeMs: number): void;
}

/** The host for the machine that we run on. */
export function makeSystemdHost(): SwitchHost {
  // Programs come from the running system, whatever the caller's PATH is.
  const env = { ...process.env, PATH: `/run/current-system/sw/bin:${process.env["PATH"] ?? ""}` };
  const show = (program: string, words: readonly string[], more: Record<string, string> = {}): number => {
    const done = spawnSync(program, words, { env: { ...env, ...more }, stdio: ["ignore", 2, 2] });
    if (done.error !== undefined) throw cannotRun(program, done.error);
    return done.status ?? 128;
  };
  const read = (program: string, words: readonly string[]): string => {
    const done = spawnSync(program, words, { env, encoding: "utf8", stdio: ["ignore", "pipe", 2], maxBuffer: 1 << 26 });
    if (done.error !== undefined) throw cannotRun(program, done.error);
    return done.stdout;
  };
  return {
    listUnits: () =>
      parseUnitList(read("systemctl", ["list-units", "--all", "--full", "--plain", "--no-legend", "--no-pager"])),
    systemctl: (...words) => show("systemctl", words),
    property: (unit, name) => read("systemctl", ["show", "--value", "--property", name, "--", unit]).trim(),
    activate: (toplevel, action) => show(`${toplevel}/activate`, [], { FLOE_ACTION: action }),
    swapOff: (device) => show("swapoff", [device]),
    sleep: (timeMs) => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, timeMs),
  };
}

function cannotRun(program: string, cause: Error): CodedError {
  return new CodedError("system.cannot-run", `Cannot run "${program}": ${cause.message}`, { cause });
}

/** Read what `systemctl list-units --plain` prints: name, load, active and sub state in columns. */
export function parseUnitList(text: string): LoadedUnit[] {
  return text.split("\n").flatMap((line) => {
    const [name, , active, sub] = line.replace(/^\s*[●*]?\s*/, "").split(/\s+/);
    return name && active && sub ? [{ name, active, sub }] : [];
  });
}
