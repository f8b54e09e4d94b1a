import { closeSync, openSync, readSync } from "node:fs";
import type { Architecture } from "qemu-wrapper";

/** Source: elf(5), `e_machine`, as gabi numbers them. */
const ELF_MACHINES: Readonly<Record<number, Architecture>> = { 62: "x86_64", 183: "aarch64" };

/** Enough for each of the headers. */
export const HEADER_BYTES = 1024;

/**
 * Whose instructions a kernel has, by the first bytes of its file; `undefined` for what is none of the forms known here.
 *
 * Source: elf(5); Linux, Documentation/arch/x86/boot.rst (`HdrS` at 0x202) and Documentation/arch/arm64/booting.rst (`ARM\x64` at 56).
 */
export function kernelArchitecture(header: Buffer): Architecture | undefined {
  if (header.length >= 20 && header.toString("latin1", 0, 4) === "\x7fELF")
    return ELF_MACHINES[header.readUInt16LE(18)];
  if (header.toString("latin1", 56, 60) === "ARM\x64") return "aarch64";
  return header.toString("latin1", 0x202, 0x206) === "HdrS" ? "x86_64" : undefined;
}

/** The same of a file; `undefined` also for one that cannot be read, of which QEMU has its own words. */
export function readKernelArchitecture(file: string): Architecture | undefined {
  try {
    const fd = openSync(file, "r");
    try {
      const header = Buffer.alloc(HEADER_BYTES);
      return kernelArchitecture(header.subarray(0, readSync(fd, header, 0, HEADER_BYTES, 0)));
    } finally {
      closeSync(fd);
    }
  } catch {
    return undefined;
  }
}
