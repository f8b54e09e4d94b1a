import { closeSync, readdirSync, readFileSync, readlinkSync, realpathSync } from "node:fs";

const CLOSE_ON_EXEC = 0o2000000;

let closed = false;

/**
 * Close descriptors our own caller left open for us without asking, so that no builder gets them.
 *
 * Everything this program opens is closed on `exec`, and Node sees to it that the first sixteen or so it inherits are; a
 * descriptor that is not can only be inherited (a lock of a wrapping script, a job server of make). The channel to a parent Node process is kept, and so is the certificate file:
 * a thread of Node's own reads it while the first commands run, through a descriptor that is not closed on `exec`. Closed
 * under its hands, its number goes to the next pipe, and the thread waits for that pipe forever. Runs once in a process.
 */
export function closeInheritedDescriptors(): void {
  if (closed) return;
  closed = true;
  const channel = process.env["NODE_CHANNEL_FD"];
  const certificates = certificateFile();
  for (const name of readdirSync("/proc/self/fd")) {
    const descriptor = Number(name);
    if (descriptor <= 2 || name === channel) continue;
    try {
      const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${name}`, "utf8"))?.[1];
      if (flags === undefined || (Number.parseInt(flags, 8) & CLOSE_ON_EXEC) !== 0) continue;
      if (readlinkSync(`/proc/self/fd/${name}`) !== certificates) closeSync(descriptor);
    } catch {
      // The directory listing itself held this descriptor; it is gone already.
    }
  }
}

function certificateFile(): string | undefined {
  const named = process.env["NODE_EXTRA_CA_CERTS"];
  if (named === undefined || named === "") return undefined;
  try {
    return realpathSync(named);
  } catch {
    // Node says itself that it cannot read it.
    return undefined;
  }
}
