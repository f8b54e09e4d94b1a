import { join } from "node:path";
import { DEFAULT_ADMISSION, daemonSocket, runDaemon } from "../index.ts";

/** A daemon in a process of its own, for the store below the directory it is told; it prints a line when it listens. */
const root = process.argv[2] as string;
await runDaemon({
  socketPath: daemonSocket(join(root, "nix/var/nix")),
  rules: DEFAULT_ADMISSION,
  worker: { program: process.execPath, args: [join(import.meta.dirname, "worker.ts"), root] },
  signal: new AbortController().signal,
  say: (line) => console.log(line),
});
