import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { CodedError } from "../../base/index.ts";
import { findProgram } from "../process/index.ts";

/** Whether builds can be isolated on this machine. */
export type SandboxSupport =
  | {
      readonly kind: "available";
      /** Our own program; at least one of the two is there. */
      readonly native: string | undefined;
      readonly bubblewrap: string | undefined;
    }
  | { readonly kind: "no-program" }
  /** The kernel, or a policy on top of it, refuses user namespaces; `found` says how that showed. */
  | { readonly kind: "no-user-namespaces"; readonly found: string };

/**
 * Look for programs that make sandboxes and for settings that switch user namespaces off. Starts no process: a refusal these
 * settings do not show comes to light at the first build.
 */
export function findSandboxSupport(): SandboxSupport {
  const native = findNativeProgram();
  const bubblewrap = findProgram("bwrap");
  if (native === undefined && bubblewrap === undefined) return { kind: "no-program" };
  if (readNumber("/proc/sys/user/max_user_namespaces") === 0) {
    return { kind: "no-user-namespaces", found: "/proc/sys/user/max_user_namespaces is 0" };
  }
  if (process.getuid?.() !== 0 && readNumber("/proc/sys/kernel/unprivileged_userns_clone") === 0) {
    return { kind: "no-user-namespaces", found: "/proc/sys/kernel/unprivileged_userns_clone is 0" };
  }
  return { kind: "available", native, bubblewrap };
}

/** `floe-sandbox` of this checkout, as setup compiled it, or the one on the PATH, as the package of that name holds it. */
export function findNativeProgram(): string | undefined {
  const own = fileURLToPath(new URL("../../../dist/floe-sandbox", import.meta.url));
  try {
    accessSync(own, constants.X_OK);
    return own;
  } catch {
    return findProgram("floe-sandbox");
  }
}

/** Try an empty sandbox of bubblewrap, to explain a build that could not begin. */
export function probeSandbox(): SandboxSupport {
  const support = findSandboxSupport();
  if (support.kind !== "available" || support.bubblewrap === undefined) return support;
  const tried = spawnSync(
    support.bubblewrap,
    [
      "--unshare-user",
      "--unshare-pid",
      "--unshare-net",
      "--ro-bind",
      "/",
      "/",
      "--proc",
      "/proc",
      "--dev",
      "/dev",
      "true",
    ],
    { encoding: "utf8", stdio: ["ignore", "ignore", "pipe"] },
  );
  if (tried.status === 0) return support;
  return {
    kind: "no-user-namespaces",
    found: tried.stderr.trim().split("\n").at(-1) ?? `bwrap ended with ${tried.status}`,
  };
}

/** The error for a machine that cannot isolate builds. We never build without a sandbox by ourselves. */
export function sandboxUnavailable(support: Exclude<SandboxSupport, { kind: "available" }>): CodedError {
  if (support.kind === "no-program") {
    return new CodedError(
      "sandbox.no-program",
      `Cannot build in a sandbox: neither "floe-sandbox" nor "bwrap" was found on PATH`,
      {
        hint: "Install one with `apt-get install bubblewrap`. To build without isolation, say --no-sandbox.",
        exitCode: 100,
      },
    );
  }
  return new CodedError(
    "sandbox.no-user-namespaces",
    `Cannot build in a sandbox: this machine refuses user namespaces (${support.found})`,
    {
      hint:
        "Allow them with `sysctl -w user.max_user_namespaces=15000` (on Debian also kernel.unprivileged_userns_clone=1, on Ubuntu " +
        "kernel.apparmor_restrict_unprivileged_userns=0); in a container, start it with permission to make namespaces. " +
        "To build without isolation, say --no-sandbox.",
      exitCode: 100,
    },
  );
}

/**
 * Places below `/proc` that belong to root and act on the whole machine. A builder that is root to the kernel could write
 * to them, so they have to be read-only for it; for others they are so anyway.
 */
export function findReadOnlyProc(): string[] {
  if (process.getuid?.() !== 0) return [];
  const places = ["sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "scsi", "driver", "mtrr", "timer_list"];
  return places.map((name) => `/proc/${name}`).filter((path) => existsSync(path));
}

function readNumber(path: string): number | undefined {
  try {
    return Number(readFileSync(path, "utf8").trim());
  } catch {
    return undefined;
  }
}
