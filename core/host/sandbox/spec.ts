/** The user on the host that a builder is, seen as user 1000 and group 100 inside. */
export interface BuildUser {
  readonly uid: number;
  readonly gid: number;
  /** Users and groups it stands for, from these on. With more than one it is root inside and may be any of them. Default 1. Not by bubblewrap. */
  readonly ids?: number | undefined;
}

/** What one sandbox shows and hides: the only description there is; each implementation carries out {@link planSandbox} of it. */
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
  /** Places below `/proc` that the build user could write to, and the builder therefore too. */
  readonly readOnlyProc: readonly string[];
  /** Who the builder is. Default: the owner of this process. */
  readonly user?: BuildUser | undefined;
  /** Processes and threads it may have at once. */
  readonly maxProcesses: number;
  /** Longest file it may make, in bytes; 0 for any. */
  readonly maxFileBytes: number;
  /** Memory that each process may fill with data of its own, in bytes; 0 for any. */
  readonly maxDataBytes: number;
  /** File that puts the process that writes `0` to it into a control group. Default: builders are in ours. Not by bubblewrap. */
  readonly controlGroup?: string | undefined;
  /** Let programs gain rights by set-id bits and capabilities of their files, as far as the builder finds such files. */
  readonly allowNewPrivileges: boolean;
  /** Program that judges its system calls, as the kernel takes it. */
  readonly filter: Uint8Array;
}
