import type { SandboxSpec } from "./spec.ts";

/** One thing to mount or to make in the root of a sandbox. Modes are octal text. */
export type SandboxStep =
  /** A process file system; the usual devices, of which the builder cannot change the nodes. */
  | readonly [verb: "proc" | "dev", to: string]
  /** A part of the host: writable; read-only; read-only, but its devices work. */
  | readonly [verb: "bind" | "ro-bind" | "dev-bind", from: string, to: string]
  /** An empty file system in memory; a directory. */
  | readonly [verb: "tmpfs" | "dir", to: string, mode: string]
  | readonly [verb: "symlink", target: string, to: string]
  /** Take the right to write from one mount, not from those inside it. */
  | readonly [verb: "remount-ro", to: string];

/**
 * The root of a sandbox, step by step.
 *
 * The only writable places are `/build`, `/tmp`, `/dev/shm` and new entries of `/nix/store`.
 *
 * Source: store formats, "Builder environment"; Nix, `LocalDerivationGoal::startBuilder`.
 */
export function planSandbox(spec: SandboxSpec): SandboxStep[] {
  const steps: SandboxStep[] = [["proc", "/proc"]];
  for (const path of spec.readOnlyProc) steps.push(["ro-bind", path, path]);
  steps.push(["dev", "/dev"]);
  for (const device of spec.devices) steps.push(["dev-bind", device, device]);
  steps.push(["tmpfs", "/dev/shm", "1777"], ["remount-ro", "/dev"], ["tmpfs", "/tmp", "1777"]);
  steps.push(["ro-bind", spec.etcDirectory, "/etc"], ["dir", "/nix", "0755"]);
  steps.push(["bind", spec.buildDirectory, "/build"], ["bind", spec.storeDirectory, "/nix/store"]);
  for (const { from, to } of spec.inputs) steps.push(["ro-bind", from, `/nix/store/${to}`]);
  if (spec.shell !== undefined) steps.push(["symlink", spec.shell, "/bin/sh"]);
  steps.push(["remount-ro", "/"]);
  return steps;
}
