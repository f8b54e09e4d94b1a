/** Where the kernel is loaded, and entered. */
const LOAD_ADDRESS = 0x100000;
const HEADERS_BYTES = 64 + 2 * 56;
/** Source: Xen, `public/elfnote.h`, XEN_ELFNOTE_PHYS32_ENTRY: where a kernel is entered in 32-bit mode. */
const PVH_ENTRY_NOTE = 18;

/**
 * A kernel for x86_64 of a few hundred bytes: it writes a text to its serial port and then runs for ever, without any agent. QEMU starts it at
 * once, and what becomes of its machine can be seen without a system.
 *
 * Source: Linux, `Documentation/arch/x86/pvh.rst`; the ELF specification.
 */
export function endlessKernel(text: string): Uint8Array {
  const note = Buffer.alloc(20);
  note.writeUInt32LE(4, 0);
  note.writeUInt32LE(4, 4);
  note.writeUInt32LE(PVH_ENTRY_NOTE, 8);
  note.write("Xen\0", 12, "latin1");
  note.writeUInt32LE(LOAD_ADDRESS + HEADERS_BYTES + note.length, 16);
  const outputs = [...Buffer.from(text, "latin1")].flatMap((byte) => [
    // movb $byte,%al; outb %al,(%dx)
    ...[0xb0, byte, 0xee],
  ]);
  // movl $0x3f8,%edx; …; jmp to itself
  const code = Buffer.from([0xba, 0xf8, 0x03, 0x00, 0x00, ...outputs, 0xeb, 0xfe]);
  const size = HEADERS_BYTES + note.length + code.length;
  const header = Buffer.alloc(64);
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  header.writeUInt16LE(2, 16);
  header.writeUInt16LE(62, 18);
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(BigInt(LOAD_ADDRESS + HEADERS_BYTES + note.length), 24);
  header.writeBigUInt64LE(64n, 32);
  header.writeUInt16LE(64, 52);
  header.writeUInt16LE(56, 54);
  header.writeUInt16LE(2, 56);
  const segment = (type: number, offset: number, bytes: number): Buffer => {
    const made = Buffer.alloc(56);
    made.writeUInt32LE(type, 0);
    made.writeUInt32LE(7, 4);
    made.writeBigUInt64LE(BigInt(offset), 8);
    for (const at of [16, 24]) made.writeBigUInt64LE(BigInt(LOAD_ADDRESS + offset), at);
    for (const at of [32, 40]) made.writeBigUInt64LE(BigInt(bytes), at);
    made.writeBigUInt64LE(4n, 48);
    return made;
  };
  return Buffer.concat([header, segment(1, 0, size), segment(4, HEADERS_BYTES, note.length), note, code]);
}
