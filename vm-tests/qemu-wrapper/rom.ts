/**
 * Firmware images of a few hundred bytes. Each is a 64 KiB ROM that QEMU maps at 0xf0000; the processor starts at the far
 * jump in its last 16 bytes and lands on the first byte. They prove things about a virtual machine without any guest system.
 */

const ROM_SIZE = 64 * 1024;

/** Place code and data at the start of a ROM whose reset vector jumps to them. */
function makeRom(code: Uint8Array): Uint8Array {
  const rom = new Uint8Array(ROM_SIZE);
  rom.set(code);
  // ljmp $0xf000,$0x0000
  rom.set([0xea, 0x00, 0x00, 0x00, 0xf0], ROM_SIZE - 16);
  return rom;
}

/** Exit status of QEMU when {@link longModeRom} has run to its end: the debug port gives `value * 2 + 1`. */
export const LONG_MODE_EXIT_STATUS = 0x15 * 2 + 1;

/**
 * A guest that builds page tables, enters 64-bit long mode, does a million additions and stores, asks CPUID, and leaves
 * through the `isa-debug-exit` device at port 0xf4.
 *
 * A hypervisor may create machines, answer questions about them and run 16-bit code, and still never come back from long
 * mode, or crawl through it; this is the smallest guest that tells.
 */
export function longModeRom(): Uint8Array {
  return makeRom(
    Uint8Array.of(
      // .code16
      /* 00 cli                     */ 0xfa,
      /* 01 cld                     */ 0xfc,
      /* 02 xorw  %ax,%ax           */ 0x31,
      0xc0,
      /* 04 movw  %ax,%ds           */ 0x8e,
      0xd8,
      /* 06 movw  %ax,%es           */ 0x8e,
      0xc0,
      /* 08 movw  %ax,%ss           */ 0x8e,
      0xd0,
      // Three empty pages at 0x1000: PML4, page directory pointers, page directory.
      /* 0a movw  $0x1000,%di       */ 0xbf,
      0x00,
      0x10,
      /* 0d movw  $0x1800,%cx       */ 0xb9,
      0x00,
      0x18,
      /* 10 rep stosw               */ 0xf3,
      0xab,
      /* 12 movl  $0x2003,0x1000    */ 0x66,
      0xc7,
      0x06,
      0x00,
      0x10,
      0x03,
      0x20,
      0x00,
      0x00,
      /* 1b movl  $0x3003,0x2000    */ 0x66,
      0xc7,
      0x06,
      0x00,
      0x20,
      0x03,
      0x30,
      0x00,
      0x00,
      // Two identity-mapped pages of 2 MiB: present, writable, large.
      /* 24 movl  $0x83,0x3000      */ 0x66,
      0xc7,
      0x06,
      0x00,
      0x30,
      0x83,
      0x00,
      0x00,
      0x00,
      /* 2d movl  $0x200083,0x3008  */ 0x66,
      0xc7,
      0x06,
      0x08,
      0x30,
      0x83,
      0x00,
      0x20,
      0x00,
      /* 36 movl  $0x1000,%eax      */ 0x66,
      0xb8,
      0x00,
      0x10,
      0x00,
      0x00,
      /* 3c movl  %eax,%cr3         */ 0x0f,
      0x22,
      0xd8,
      /* 3f movl  %cr4,%eax         */ 0x0f,
      0x20,
      0xe0,
      /* 42 orl   $0x20,%eax        */ 0x66,
      0x83,
      0xc8,
      0x20, // CR4.PAE
      /* 46 movl  %eax,%cr4         */ 0x0f,
      0x22,
      0xe0,
      /* 49 movl  $0xc0000080,%ecx  */ 0x66,
      0xb9,
      0x80,
      0x00,
      0x00,
      0xc0,
      /* 4f rdmsr                   */ 0x0f,
      0x32,
      /* 51 orl   $0x100,%eax       */ 0x66,
      0x0d,
      0x00,
      0x01,
      0x00,
      0x00, // EFER.LME
      /* 57 wrmsr                   */ 0x0f,
      0x30,
      /* 59 movl  %cr0,%eax         */ 0x0f,
      0x20,
      0xc0,
      /* 5c orl   $0x80000001,%eax  */ 0x66,
      0x0d,
      0x01,
      0x00,
      0x00,
      0x80, // CR0.PG and CR0.PE
      /* 62 lgdtl %cs:0xa8          */ 0x2e,
      0x66,
      0x0f,
      0x01,
      0x16,
      0xa8,
      0x00,
      /* 69 movl  %eax,%cr0         */ 0x0f,
      0x22,
      0xc0,
      /* 6c ljmpl $8,$0xf0074       */ 0x66,
      0xea,
      0x74,
      0x00,
      0x0f,
      0x00,
      0x08,
      0x00,
      // .code64
      /* 74 movl  $1000000,%ecx     */ 0xb9,
      0x40,
      0x42,
      0x0f,
      0x00,
      /* 79 addl  %ecx,%eax         */ 0x01,
      0xc8,
      /* 7b movl  %eax,0x3800       */ 0x89,
      0x04,
      0x25,
      0x00,
      0x38,
      0x00,
      0x00,
      /* 82 decl  %ecx              */ 0xff,
      0xc9,
      /* 84 jnz   79                */ 0x75,
      0xf3,
      /* 86 xorl  %eax,%eax         */ 0x31,
      0xc0,
      /* 88 cpuid                   */ 0x0f,
      0xa2,
      /* 8a movb  $0x15,%al         */ 0xb0,
      0x15,
      /* 8c outb  %al,$0xf4         */ 0xe6,
      0xf4,
      /* 8e hlt                     */ 0xf4,
      /* 8f jmp   8e                */ 0xeb,
      0xfd,
      /* 91 padding to a multiple of 8 */ 0x0f,
      0x1f,
      0x80,
      0x00,
      0x00,
      0x00,
      0x00,
      // GDT: the empty descriptor, then 64-bit code for ring 0.
      /* 98 .quad 0                 */ 0x00,
      0x00,
      0x00,
      0x00,
      0x00,
      0x00,
      0x00,
      0x00,
      /* a0 .quad 0xaf9b000000ffff  */ 0xff,
      0xff,
      0x00,
      0x00,
      0x00,
      0x9b,
      0xaf,
      0x00,
      /* a8 .word 15; .long 0xf0098 */ 0x0f,
      0x00,
      0x98,
      0x00,
      0x0f,
      0x00,
    ),
  );
}

/** A guest that runs for ever and says nothing. */
export function spinningRom(): Uint8Array {
  // 00 cli; 01 jmp 01
  return makeRom(Uint8Array.of(0xfa, 0xeb, 0xfe));
}

/** A guest that prints a text on the first serial port and then halts: a stand-in for any system that dies early. */
export function serialTextRom(text: string): Uint8Array {
  const code = [
    /* 00 cli                  */ 0xfa, /* 01 cld                  */ 0xfc, /* 02 movw $0x14,%si       */ 0xbe, 0x14,
    0x00, /* 05 movw $0x3f8,%dx      */ 0xba, 0xf8, 0x03, /* 08 lodsb %cs:(%si),%al  */ 0x2e, 0xac,
    /* 0a orb  %al,%al         */ 0x08, 0xc0, /* 0c jz   11              */ 0x74, 0x03,
    /* 0e outb %al,%dx         */ 0xee, /* 0f jmp  08              */ 0xeb, 0xf7, /* 11 hlt                  */ 0xf4,
    /* 12 jmp  11              */ 0xeb, 0xfd,
  ];
  return makeRom(Uint8Array.from([...code, ...new TextEncoder().encode(text), 0]));
}
