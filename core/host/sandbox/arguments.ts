/** What one sandbox shows and hides. */
export interface SandboxSpec {
  /** Directory on the host that becomes `/nix/store`: the builder may write into it. On the store's file system. */
  readonly storeDirectory: string;
  /** Store objects to show, each read-only: place on the host, and place below `/nix/store`. */
  readonly inputs: readonly { readonly from: string; readonly to: string }[];
  /** Directory on the host that becomes `/build`. */
  readonly buildDirectory: string;
  /** Directory on the host with what is to be `/etc`, read-only. */
  readonly etcDirectory: string;
  /** Variables in the order the builder is to find them. */
  readonly environment: readonly (readonly [name: string, value: string])[];
  /** Share the host's network. */
  readonly network: boolean;
  /** Device nodes besides the usual ones, for instance `/dev/kvm`. */
  readonly devices: readonly string[];
  /** What `/bin/sh` is a symlink to. Default: there is no `/bin`. */
  readonly shell?: string | undefined;
  /** Places below `/proc` that the owner of this process could write to, and the builder therefore too. */
  readonly readOnlyProc: readonly string[];
  /** Descriptor for the status of the sandbox. */
  readonly statusDescriptor: number;
}

const NAMESPACES =
  "--unshare-user --uid 1000 --gid 100 --unshare-pid --as-pid-1 --unshare-ipc --unshare-uts --unshare-cgroup-try".split(
    " ",
  );

/**
 * Arguments for bubblewrap that make the sandbox of the specification, without the command.
 *
 * User 1000, group 100, own user, mount, process, IPC, host name and (unless shared) network namespaces; the only
 * writable places are `/build`, `/tmp`, `/dev/shm` and new entries of `/nix/store`. Everything dies with this process.
 * The builder is process 1, as in Nix: what it left running is dead when bubblewrap ends, so outputs no longer change.
 *
 * Source: store formats, "Builder environment"; Nix, `LocalDerivationGoal::startBuilder`.
 */
export function sandboxArguments(spec: SandboxSpec): string[] {
  const args = [
    ...NAMESPACES,
    ...["--hostname", "localhost", "--die-with-parent", "--new-session"],
    ...["--json-status-fd", String(spec.statusDescriptor), "--proc", "/proc"],
  ];
  if (!spec.network) args.push("--unshare-net");
  for (const path of spec.readOnlyProc) args.push("--ro-bind", path, path);
  args.push("--dev", "/dev", "--perms", "1777", "--tmpfs", "/dev/shm", "--perms", "1777", "--tmpfs", "/tmp");
  for (const device of spec.devices) args.push("--dev-bind", device, device);
  args.push(
    "--ro-bind",
    spec.etcDirectory,
    "/etc",
    "--perms",
    "0755",
    "--dir",
    "/nix",
    "--bind",
    spec.buildDirectory,
    "/build",
    "--bind",
    spec.storeDirectory,
    "/nix/store",
  );
  for (const { from, to } of spec.inputs) args.push("--ro-bind", from, `/nix/store/${to}`);
  if (spec.shell !== undefined) args.push("--symlink", spec.shell, "/bin/sh");
  args.push("--remount-ro", "/", "--chdir", "/build", "--clearenv");
  for (const [name, value] of spec.environment) args.push("--setenv", name, value);
  return args;
}
