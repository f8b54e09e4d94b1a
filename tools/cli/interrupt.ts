import { CodedError } from "../../core/base/index.ts";

/** Exit codes by signal, as shells report them: 128 and the signal's number. */
const EXIT_CODES = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

/**
 * Turn the first Ctrl-C into an abort, so that a command stops cleanly; the second ends the process at once.
 *
 * Ending at once is safe for the store: whatever is not registered yet is cleared away by the next run.
 */
export function abortOnSignals(): AbortSignal {
  const controller = new AbortController();
  for (const [name, exitCode] of Object.entries(EXIT_CODES)) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(exitCode);
      controller.abort(new CodedError("cli.interrupted", "Cannot go on: interrupted", { exitCode }));
    });
  }
  return controller.signal;
}
