import { readdirSync, rmSync, statSync } from "node:fs";

/**
 * A sum of bytes, 16 hexadecimal digits. It finds accidents and no malice; Node's cryptography, which would, takes longer to load than
 * all else that is done here. Two lanes over words of 32 bits, the bytes left over, and the length; each step can be undone, so no two
 * texts that differ in one word have the same.
 */
export function sumOf(bytes: Buffer): string {
  let a = 0x811c9dc5 ^ bytes.length;
  let b = 0x9e3779b9;
  const whole = bytes.length & ~3;
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let i = 0; i < whole; i += 4) {
    const word = words.getUint32(i, true);
    a = Math.imul(a ^ word, 0x01000193);
    b = Math.imul(((b << 5) | (b >>> 27)) ^ word, 0x85ebca6b);
  }
  for (let i = whole; i < bytes.length; i++) a = Math.imul(a ^ (bytes[i] as number), 0x01000193);
  return [a, b].map((lane) => (lane >>> 0).toString(16).padStart(8, "0")).join("");
}

/** Of a folder of files keep those that were written last. */
export function forgetOldest(folder: string, kept: number): void {
  const names = readdirSync(folder);
  if (names.length <= kept) return;
  const ages = names.map((name) => {
    const path = `${folder}/${name}`;
    return { path, mtimeMs: statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0 };
  });
  for (const { path } of ages.sort((a, b) => b.mtimeMs - a.mtimeMs).slice(kept)) rmSync(path, { force: true });
}
