import type { Architecture } from "./platforms.ts";

/**
 * Guests of a few hundred bytes, which prove things about virtual machines without any system in them.
 *
 * Those for x86_64 are ROMs of 64 KiB that QEMU maps at 0xf0000; the processor starts at the far jump in the last 16 bytes and
 * lands on the first byte. Those for aarch64 are raw kernels, which QEMU loads 512 KiB into the memory and enters there.
 */
export interface TinyGuest {
  readonly architecture: Architecture;
  readonly bytes: Uint8Array;
  /** What runs it: firmware, or a kernel. */
  readonly as: "firmware" | "kernel";
}

const ROM_SIZE = 64 * 1024;

/** Place code and data at the start of a ROM whose reset vector jumps to them. */
function makeRom(code: Uint8Array): Uint8Array {
  const rom = new Uint8Array(ROM_SIZE);
  rom.set(code);
  // ljmp $0xf000,$0x0000
  rom.set([0xea, 0x00, 0x00, 0x00, 0xf0], ROM_SIZE - 16);
  return rom;
}

/** The bytes of a listing: each line has pairs of digits, two spaces and words for people; a line that begins with `;` is all words. */
function machineCode(listing: string): Uint8Array {
  const lines = listing.split("\n").filter((line) => line !== "" && !line.startsWith(";"));
  return Uint8Array.from(
    lines.flatMap((line) => (line.split("  ")[0] ?? "").split(" ").map((pair) => Number.parseInt(pair, 16))),
  );
}

/** Exit status of QEMU when {@link longModeRom} has run to its end: the debug port gives `value * 2 + 1`. */
export const LONG_MODE_EXIT_STATUS = 0x15 * 2 + 1;

const LONG_MODE = `
fa                          cli
fc                          cld
31 c0                       xorw  %ax,%ax
8e d8                       movw  %ax,%ds
8e c0                       movw  %ax,%es
8e d0                       movw  %ax,%ss
; Three empty pages at 0x1000: PML4, page directory pointers, page directory.
bf 00 10                    movw  $0x1000,%di
b9 00 18                    movw  $0x1800,%cx
f3 ab                       rep stosw
66 c7 06 00 10 03 20 00 00  movl  $0x2003,0x1000
66 c7 06 00 20 03 30 00 00  movl  $0x3003,0x2000
; Two identity-mapped pages of 2 MiB: present, writable, large.
66 c7 06 00 30 83 00 00 00  movl  $0x83,0x3000
66 c7 06 08 30 83 00 20 00  movl  $0x200083,0x3008
66 b8 00 10 00 00           movl  $0x1000,%eax
0f 22 d8                    movl  %eax,%cr3
0f 20 e0                    movl  %cr4,%eax
66 83 c8 20                 orl   $0x20,%eax  ; CR4.PAE
0f 22 e0                    movl  %eax,%cr4
66 b9 80 00 00 c0           movl  $0xc0000080,%ecx
0f 32                       rdmsr
66 0d 00 01 00 00           orl   $0x100,%eax  ; EFER.LME
0f 30                       wrmsr
0f 20 c0                    movl  %cr0,%eax
66 0d 01 00 00 80           orl   $0x80000001,%eax  ; CR0.PG and CR0.PE
2e 66 0f 01 16 a8 00        lgdtl %cs:0xa8
0f 22 c0                    movl  %eax,%cr0
66 ea 74 00 0f 00 08 00     ljmpl $8,$0xf0074
; .code64
b9 40 42 0f 00              movl  $1000000,%ecx
01 c8                       addl  %ecx,%eax
89 04 25 00 38 00 00        movl  %eax,0x3800
ff c9                       decl  %ecx
75 f3                       jnz   79
31 c0                       xorl  %eax,%eax
0f a2                       cpuid
b0 15                       movb  $0x15,%al
e6 f4                       outb  %al,$0xf4
f4                          hlt
eb fd                       jmp   8e
0f 1f 80 00 00 00 00        padding to a multiple of 8
; GDT: the empty descriptor, then 64-bit code for ring 0.
00 00 00 00 00 00 00 00     .quad 0
ff ff 00 00 00 9b af 00     .quad 0xaf9b000000ffff
0f 00 98 00 0f 00           .word 15; .long 0xf0098
`;

/**
 * A guest that builds page tables, enters 64-bit long mode, does a million additions and stores, asks CPUID, and leaves
 * through the `isa-debug-exit` device at port 0xf4.
 *
 * A hypervisor may create machines, answer questions about them and run 16-bit code, and still never come back from long
 * mode, or crawl through it; this is the smallest guest that tells.
 */
export function longModeRom(): Uint8Array {
  return makeRom(machineCode(LONG_MODE));
}

const COUNT_DOWN = `
e1 01 a0 52         mov w1, #983040
; again:
21 04 00 51         sub w1, w1, #1
e1 ff ff 35         cbnz w1, again
00 80 b0 52         mov w0, #0x84000000
00 01 80 72         movk w0, #8  ; PSCI SYSTEM_OFF
02 00 00 d4         hvc #0
00 00 00 14         b .
`;

/** The twin of {@link longModeRom} for aarch64: it counts down from a million and turns the machine off, so that QEMU ends with 0. */
export function countDownKernel(): Uint8Array {
  return machineCode(COUNT_DOWN);
}

/** The guest that shows whether an accelerator runs guests of an architecture, and QEMU's exit status when it has ended. */
export function probeGuest(architecture: Architecture): TinyGuest & { readonly exitStatus: number } {
  return architecture === "x86_64"
    ? { architecture, bytes: longModeRom(), as: "firmware", exitStatus: LONG_MODE_EXIT_STATUS }
    : { architecture, bytes: countDownKernel(), as: "kernel", exitStatus: 0 };
}

const COUNTING_X86 = `
fa                  cli
fc                  cld
31 c0               xor %ax,%ax
8e d8               mov %ax,%ds
8e c0               mov %ax,%es
8e d0               mov %ax,%ss
31 db               xor %bx,%bx
89 1e 00 50         mov %bx,0x5000
; fill:
8b 1e 00 50         mov 0x5000,%bx
bf 00 60            mov $0x6000,%di
b9 00 40            mov $0x4000,%cx
89 d8               mov %bx,%ax
f3 af               repz scas %es:(%di),%ax
75 16               jne bad
43                  inc %bx
89 1e 00 50         mov %bx,0x5000
bf 00 60            mov $0x6000,%di
b9 00 40            mov $0x4000,%cx
89 d8               mov %bx,%ax
f3 ab               rep stos %ax,%es:(%di)
ba f8 03            mov $0x3f8,%dx
b0 2e               mov $0x2e,%al
eb 05               jmp say
; bad:
ba f8 03            mov $0x3f8,%dx
b0 21               mov $0x21,%al
; say:
ee                  out %al,(%dx)
89 d9               mov %bx,%cx
b4 04               mov $0x4,%ah
; digit:
c1 c1 04            rol $0x4,%cx
88 c8               mov %cl,%al
24 0f               and $0xf,%al
04 41               add $0x41,%al
ee                  out %al,(%dx)
fe cc               dec %ah
75 f2               jne digit
b0 0a               mov $0xa,%al
ee                  out %al,(%dx)
66 b9 e0 93 04 00   mov $0x493e0,%ecx
; delay:
66 49               dec %ecx
75 fc               jne delay
eb b3               jmp fill
`;

const COUNTING_ARM = `
01 20 a8 52         mov w1, #1090519040
04 20 a1 52         mov w4, #150994944
03 00 80 52         mov w3, #0
; loop:
05 00 90 52         mov w5, #32768
22 04 40 11         add w2, w1, #1, lsl #12
e6 03 02 2a         mov w6, w2
c9 05 80 52         mov w9, #46
; check:
c7 44 40 b8         ldr w7, [x6], #4
ff 00 03 6b         cmp w7, w3
40 00 00 54         b.eq same
29 04 80 52         mov w9, #33
; same:
a5 10 00 51         sub w5, w5, #4
65 ff ff 35         cbnz w5, check
63 04 00 11         add w3, w3, #1
05 00 90 52         mov w5, #32768
e6 03 02 2a         mov w6, w2
; fill:
c3 44 00 b8         str w3, [x6], #4
a5 10 00 51         sub w5, w5, #4
c5 ff ff 35         cbnz w5, fill
89 00 00 b9         str w9, [x4]
05 02 80 52         mov w5, #16
; digit:
a5 10 00 51         sub w5, w5, #4
67 24 c5 1a         lsr w7, w3, w5
e7 0c 00 12         and w7, w7, #0xf
e7 04 01 11         add w7, w7, #65
87 00 00 b9         str w7, [x4]
65 ff ff 35         cbnz w5, digit
47 01 80 52         mov w7, #10
87 00 00 b9         str w7, [x4]
05 01 a0 52         mov w5, #524288
; delay:
a5 04 00 51         sub w5, w5, #1
e5 ff ff 35         cbnz w5, delay
e3 ff ff 17         b loop
`;

/**
 * A guest that counts for ever. Its count lies in 32 KiB of memory; each round checks that all of it has the last count, fills it with
 * the next one, and prints a line: a dot (`!` when memory had something else), the count in four letters A to P, and a newline.
 *
 * A copy of it goes on where the original was frozen if memory, processor and serial port were all copied, and not otherwise.
 */
export function countingGuest(architecture: Architecture): TinyGuest {
  return architecture === "x86_64"
    ? { architecture, bytes: makeRom(machineCode(COUNTING_X86)), as: "firmware" }
    : { architecture, bytes: machineCode(COUNTING_ARM), as: "kernel" };
}

/** The lines of a {@link countingGuest}: each count, or what cannot be read as one. The last line may not be whole. */
export function readCounts(text: string): (number | string)[] {
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => {
      if (!/^\.[A-P]{4}$/.test(line)) return line;
      return [...line.slice(1)].reduce((sum, letter) => sum * 16 + (letter.charCodeAt(0) - 65), 0);
    });
}

/** A guest that runs for ever and says nothing. */
export function spinningRom(): Uint8Array {
  return makeRom(machineCode("fa  cli\neb fe  jmp ."));
}

const SERIAL_TEXT = `
fa              cli
fc              cld
be 14 00        movw $0x14,%si
ba f8 03        movw $0x3f8,%dx
2e ac           lodsb %cs:(%si),%al
08 c0           orb  %al,%al
74 03           jz   11
ee              outb %al,%dx
eb f7           jmp  08
f4              hlt
eb fd           jmp  11
`;

/** A guest that prints a text on the first serial port and then halts: a stand-in for any system that dies early. */
export function serialTextRom(text: string): Uint8Array {
  const code = machineCode(SERIAL_TEXT);
  return makeRom(Uint8Array.from([...code, ...new TextEncoder().encode(text), 0]));
}
