import type { CliContext } from "../../context.ts";

/** Redrawing more often than this only costs time. */
const INTERVAL_MS = 100;

/** One line on a terminal that counts; nothing elsewhere. */
export function showProgress(
  { terminal, process }: CliContext,
  what: string,
): { readonly show: (done: number, total: number) => void; readonly clear: () => void } {
  let last = 0;
  return {
    show(done, total) {
      if (!terminal.interactive || performance.now() - last < INTERVAL_MS) return;
      last = performance.now();
      process.stderr.write(`\r\x1b[K${done}/${total} ${what}`);
    },
    clear() {
      if (terminal.interactive) process.stderr.write("\r\x1b[K");
    },
  };
}
