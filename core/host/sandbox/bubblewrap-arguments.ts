import { planSandbox, type SandboxStep } from "./plan.ts";
import type { SandboxSpec } from "./spec.ts";

export interface BubblewrapDescriptors {
  /** For the status of the sandbox. */
  readonly status: number;
  /** To read the filter of system calls from. */
  readonly filter: number;
}

const NAMESPACES =
  "--unshare-user --uid 1000 --gid 100 --unshare-pid --as-pid-1 --unshare-ipc --unshare-uts --unshare-cgroup-try".split(
    " ",
  );

/**
 * Arguments for bubblewrap that make the sandbox of the specification, without the command.
 *
 * User 1000, group 100, own user, mount, process, IPC, host name and (unless shared) network namespaces. Everything dies with
 * this process. The builder is process 1, as in Nix: what it left running is dead when bubblewrap ends, so outputs no longer
 * change.
 */
export function bubblewrapArguments(spec: SandboxSpec, descriptors: BubblewrapDescriptors): string[] {
  const args = [
    ...NAMESPACES,
    ...["--hostname", "localhost", "--die-with-parent", "--new-session"],
    ...["--json-status-fd", String(descriptors.status), "--seccomp", String(descriptors.filter)],
  ];
  if (!spec.network) args.push("--unshare-net");
  for (const step of planSandbox(spec)) args.push(...stepArguments(step));
  args.push("--chdir", "/build", "--clearenv");
  for (const [name, value] of spec.environment) args.push("--setenv", name, value);
  return args;
}

function stepArguments(step: SandboxStep): string[] {
  const [verb, ...values] = step;
  if (verb === "tmpfs" || verb === "dir") return ["--perms", values[1] ?? "", `--${verb}`, values[0]];
  return [`--${verb}`, ...values];
}
