import type { CodedError } from "../../base/index.ts";
import { BubblewrapSandbox } from "./bubblewrap.ts";
import { NativeSandbox } from "./native.ts";
import type { Sandbox } from "./sandbox.ts";
import { type SandboxSupport, sandboxUnavailable } from "./support.ts";

/** What runs builders on this machine. */
export type OpenSandbox =
  | {
      readonly kind: "native";
      readonly sandbox: NativeSandbox;
      /** Whether builders can be users of their own. */
      readonly hasUsers: boolean;
    }
  | { readonly kind: "bubblewrap"; readonly sandbox: Sandbox; readonly hasUsers: boolean };

/**
 * Start what this machine has: `floe-sandbox`, which costs a tenth of the time, else bubblewrap.
 *
 * @throws {CodedError} `sandbox.no-program`, `sandbox.no-user-namespaces`
 */
export async function openSandbox(support: SandboxSupport): Promise<OpenSandbox> {
  if (support.kind !== "available") throw sandboxUnavailable(support);
  let refused: CodedError | undefined;
  if (support.native !== undefined) {
    const sandbox = new NativeSandbox(support.native);
    try {
      const { isRoot } = await sandbox.ready;
      return { kind: "native", sandbox, hasUsers: isRoot };
    } catch (error) {
      await sandbox.close();
      refused = error as CodedError;
    }
  }
  if (support.bubblewrap !== undefined) {
    const sandbox = new BubblewrapSandbox(support.bubblewrap);
    return { kind: "bubblewrap", sandbox, hasUsers: process.getuid?.() === 0 };
  }
  throw sandboxUnavailable({ kind: "no-user-namespaces", found: refused?.message ?? "no program makes them" });
}
