import { closeSync, readdirSync, readFileSync } from "node:fs";

const CLOSE_ON_EXEC = 0o2000000;

let closed = false;

/**
 * Close descriptors our own caller left open for us without asking, so that no builder gets them.
 *
 * Everything this program opens is closed on `exec`; a descriptor above 2 that is not can only be inherited (a lock of a
 * wrapping script, a job server of make). The channel to a parent Node process is kept. Runs once in a process.
 */
export function closeInheritedDescriptors(): void {
  if (closed) return;
  closed = true;
  const channel = process.env["NODE_CHANNEL_FD"];
  for (const name of readdirSync("/proc/self/fd")) {
    const descriptor = Number(name);
    if (descriptor <= 2 || name === channel) continue;
    try {
      const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${name}`, "utf8"))?.[1];
      if (flags !== undefined && (Number.parseInt(flags, 8) & CLOSE_ON_EXEC) === 0) closeSync(descriptor);
    } catch {
      // The directory listing itself held this descriptor; it is gone already.
    }
  }
}
