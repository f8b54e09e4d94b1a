import type { CliContext } from "../context.ts";

/** Shorter waits are not worth a word. */
const DELAY_MS = 300;

/** Run `work`; when it takes a moment and there is a terminal, say on a line that vanishes again what is going on. */
export async function whileSaying<T>(context: CliContext, text: string, work: () => Promise<T>): Promise<T> {
  const { terminal, process } = context;
  if (!terminal.interactive) return work();
  const line = text.slice(0, terminal.columns() - 4);
  let shown = false;
  const timer = setTimeout(() => {
    shown = true;
    process.stderr.sketch(`${line} …\r`);
  }, DELAY_MS);
  try {
    return await work();
  } finally {
    clearTimeout(timer);
    if (shown) process.stderr.sketch("\x1b[K");
  }
}
