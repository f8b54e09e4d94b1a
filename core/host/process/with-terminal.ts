import { closeSync } from "node:fs";
import type { TerminalPool, TerminalUser } from "./terminal.ts";

export interface WithTerminalOptions {
  /** Takes what is written to the terminal. */
  readonly receive: (chunk: Buffer) => void;
  /** Whose the terminal is meanwhile. Default: ours. */
  readonly user?: TerminalUser | undefined;
}

/**
 * Start a process whose output is a terminal of the pool, where this machine has one to give.
 *
 * @param start Gets the descriptor of the terminal, or `undefined` where the process has to make a pipe.
 * @returns The process; its end comes after all it wrote was received, and the terminal is free again.
 */
export async function withTerminal<E, P extends { readonly ended: Promise<E> }>(
  pool: TerminalPool,
  { receive, user }: WithTerminalOptions,
  start: (output: number | undefined) => P,
): Promise<P> {
  const terminal = await pool.take();
  if (terminal === undefined) return start(undefined);
  const release = async (): Promise<void> => {
    await terminal.end();
    pool.giveBack(terminal);
  };
  const output = terminal.begin(receive, user);
  let started: P;
  try {
    started = start(output);
  } catch (error) {
    await release();
    throw error;
  } finally {
    closeSync(output);
  }
  return { ...started, ended: started.ended.finally(release) };
}
