import { mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { writeFileAtomic } from "../files/write.ts";

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

/** Lines with a sum of all of them as one more, by which one finds what was cut short or damaged. */
export function withSum(lines: readonly string[]): string {
  const text = lines.map((line) => `${line}\n`).join("");
  return `${text}${sumOf(Buffer.from(text))}\n`;
}

/** The lines that {@link withSum} had; `undefined` when they are not what they were. */
export function linesOfSum(bytes: Buffer): readonly string[] | undefined {
  const lines = bytes.toString("utf8").split("\n");
  const [sum, last] = lines.splice(-2);
  if (sum === undefined || last !== "" || sum !== sumOf(bytes.subarray(0, -(sum.length + 1)))) return undefined;
  return lines;
}

/**
 * Keep a file of a cache, and of its folder those that were written last. What cannot be written is no reason to fail.
 *
 * @param folder Made when its first file is.
 * @param kept How many there may be.
 */
export function keepFile(folder: string, name: string, { text, kept }: { text: string; kept: number }): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileAtomic(`${folder}/${name}`, text, { mode: 0o600 });
    forgetOldest(folder, kept);
  } catch {
    return;
  }
}

/** Where caches of this user lie; `undefined` for who has no home. */
export function userCacheFolder(env: Readonly<Record<string, string | undefined>>): string | undefined {
  const cache = env["XDG_CACHE_HOME"] || (env["HOME"] ? `${env["HOME"]}/.cache` : undefined);
  return cache === undefined ? undefined : `${cache}/floe`;
}

function forgetOldest(folder: string, kept: number): void {
  const names = readdirSync(folder);
  if (names.length <= kept) return;
  const ages = names.map((name) => {
    const path = `${folder}/${name}`;
    return { path, mtimeMs: statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0 };
  });
  for (const { path } of ages.sort((a, b) => b.mtimeMs - a.mtimeMs).slice(kept)) rmSync(path, { force: true });
}
