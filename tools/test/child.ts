import { spawn } from "node:child_process";
import { FairClock } from "./fair-clock.ts";

/** How a child process ended. */
export interface ChildResult {
  /** Exit code; `undefined` when a signal or the time limit ended it. */
  readonly code: number | undefined;
  /** stdout and stderr in the order they came. */
  readonly output: string;
  readonly timedOut: boolean;
  readonly seconds: number;
}

export interface ChildOptions {
  readonly cwd: string;
  /** As {@link FairClock} counts them. */
  readonly timeoutSeconds: number;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  /** Called with everything it prints, as it comes. */
  readonly onOutput?: (text: string) => void;
}

/** Run a program in a process group of its own, without stdin; the whole group is ended at the time limit. */
export function runChild(command: readonly [string, ...string[]], options: ChildOptions): Promise<ChildResult> {
  const [program, ...words] = command;
  const started = performance.now();
  const child = spawn(program, words, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let output = "";
  let timedOut = false;
  const end = () => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    } catch {
      // It ended by itself meanwhile.
    }
  };
  const clock = new FairClock();
  const timer = setInterval(() => {
    if (!clock.isOver(options.timeoutSeconds)) return;
    timedOut = true;
    end();
  }, 1000);
  options.signal.addEventListener("abort", end, { once: true });
  if (options.signal.aborted) end();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      options.onOutput?.(text);
    });
  }
  return new Promise((resolve) => {
    const finish = (code: number | undefined) => {
      clearInterval(timer);
      options.signal.removeEventListener("abort", end);
      resolve({ code, output, timedOut, seconds: (performance.now() - started) / 1000 });
    };
    child.on("error", (error) => {
      output += String(error);
      finish(undefined);
    });
    // A grandchild that keeps the pipes open must not keep us: `exit`, then a moment for the last output.
    child.on("exit", (code) => setTimeout(() => finish(code ?? undefined), 50));
  });
}
