import { findProgram } from "./programs.ts";

/** Whether real machines can be started here; says once when not. */
export const HAS_QEMU = findProgram("qemu-system-x86_64") !== undefined;

if (!HAS_QEMU) console.log("skipped what needs QEMU: qemu-system-x86_64 is not installed");
