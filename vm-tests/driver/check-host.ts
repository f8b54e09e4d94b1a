import { getProgram } from "qemu-wrapper";
import type { MachineManifest } from "../manifest.ts";
import { fromQemu } from "./call-site.ts";

/**
 * Make sure that machines can be run here, before an hour goes into building them.
 *
 * @throws {CodedError} `qemu.missing` with what to install.
 */
export function checkHost(architecture: MachineManifest["architecture"], searchPath?: string): void {
  try {
    getProgram(`qemu-system-${architecture}`, searchPath);
  } catch (error) {
    throw fromQemu(error);
  }
}
