import { spawn } from "node:child_process";
import { withBuilderUmask } from "./builder-umask.ts";
import { CodedError } from "../../base/index.ts";
import { closeInheritedDescriptors, findProgram } from "../process/index.ts";
import type { ProcessEnd, RunningProcess } from "./sandbox.ts";

export interface RunPlainOptions {
  readonly builder: string;
  readonly args: readonly string[];
  readonly environment: readonly (readonly [name: string, value: string])[];
  readonly directory: string;
  readonly output: number | undefined;
  readonly receive: (chunk: Buffer) => void;
  /** Let it gain rights by set-id programs. */
  readonly allowNewPrivileges: boolean;
}

/**
 * Start a builder without any isolation but its own session; only for those who said so aloud.
 *
 * @throws {CodedError} `sandbox.no-setpriv`
 */
export function runPlain(options: RunPlainOptions): RunningProcess {
  const [program = "", ...words] = [
    ...(options.allowNewPrivileges ? [] : keepingRights()),
    options.builder,
    ...options.args,
  ];
  closeInheritedDescriptors();
  const out = options.output ?? "pipe";
  const child = withBuilderUmask(() =>
    spawn(program, words, {
      stdio: ["ignore", out, out],
      env: Object.fromEntries(options.environment),
      cwd: options.directory,
      detached: true,
    }),
  );
  child.stdout?.on("data", options.receive);
  child.stderr?.on("data", options.receive);
  const killAll = (): void => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // The whole group is gone already.
    }
  };
  const ended = new Promise<ProcessEnd>((resolve) => {
    child.once("error", () => resolve({ kind: "not-started" }));
    // What the builder left running in its group must not write into outputs that are being registered.
    child.once("exit", killAll);
    child.once("close", (code, signal) =>
      resolve(code === null ? { kind: "killed", signal: signal ?? "SIGKILL" } : { kind: "exited", code }),
    );
  });
  return { ended, kill: killAll };
}

/** What starts a program that can gain no rights. */
function keepingRights(): string[] {
  const setpriv = findProgram("setpriv");
  if (setpriv !== undefined) return [setpriv, "--no-new-privs", "--"];
  throw new CodedError(
    "sandbox.no-setpriv",
    `Cannot build outside the sandbox: "setpriv" was not found on PATH, which keeps builders from set-id programs`,
    {
      hint: 'Install util-linux, or let builders gain rights: "allowNewPrivileges": true in the settings.',
      exitCode: 100,
    },
  );
}
