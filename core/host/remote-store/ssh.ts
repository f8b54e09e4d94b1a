import { spawn } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CodedError, fromBase64, fromUtf8 } from "../../base/index.ts";
import { makeScratch } from "../files/index.ts";
import { type Dial, dialProgram } from "./connection.ts";

/** Another machine, and how to get in. */
export interface SshTarget {
  /** `[user@]host`, as ssh knows it: aliases of its configuration count. */
  readonly host: string;
  readonly port?: number | undefined;
  /** A file with the private key. Default: what ssh finds. */
  readonly keyFile?: string | undefined;
  /** The machine's public key, a line as in `known_hosts` without the name, in base 64. Then no other one is accepted. */
  readonly hostKeyBase64?: string | undefined;
  /** Compress what goes over the wire. */
  readonly compress?: boolean | undefined;
  /** Further options, as words. Default: those of `NIX_SSHOPTS`. */
  readonly options?: readonly string[] | undefined;
}

/**
 * Run a command on another machine and talk to it.
 *
 * Errors of the connection come when something is asked: `remote-store.lost`, with what ssh says.
 *
 * @throws {CodedError} `ssh.host` for a host that ssh would take for something else
 */
export function dialSsh(target: SshTarget, command: string): Dial {
  if (target.host === "" || target.host.startsWith("-") || /[\s\0]/.test(target.host)) {
    throw new CodedError("ssh.host", `Cannot connect to ${JSON.stringify(target.host)}: expected a host, or user@host`);
  }
  const dial = (knownHosts?: string): Dial =>
    dialProgram(() =>
      // What it says on stderr (questions aside, which it asks the terminal) explains a connection that fails.
      spawn("ssh", [...sshArguments(target, knownHosts), "--", target.host, command], {
        stdio: ["pipe", "pipe", "pipe"],
      }),
    );
  if (target.hostKeyBase64 === undefined) return dial();
  const line = `${hostName(target)} ${fromUtf8(fromBase64(target.hostKeyBase64)).trim()}\n`;
  return async () => {
    const folder = makeScratch("ssh");
    const file = join(folder, "known_hosts");
    writeFileSync(file, line, { mode: 0o600 });
    const connection = await dial(file)();
    return {
      ...connection,
      close() {
        connection.close();
        rmSync(folder, { recursive: true, force: true });
      },
    };
  };
}

/** What comes before the host. Neither a terminal nor forwarding is asked for. */
export function sshArguments(target: SshTarget, knownHosts?: string): string[] {
  const { port, keyFile, compress, options = (process.env["NIX_SSHOPTS"] ?? "").split(/\s+/) } = target;
  return [
    ...options.filter((word) => word !== ""),
    ...["-x", "-a", "-T"],
    ...(port === undefined ? [] : ["-p", String(port)]),
    ...(keyFile === undefined ? [] : ["-i", keyFile]),
    ...(compress === true ? ["-C"] : []),
    ...(knownHosts === undefined
      ? []
      : [
          "-o",
          `UserKnownHostsFile=${knownHosts}`,
          "-o",
          "GlobalKnownHostsFile=none",
          "-o",
          "StrictHostKeyChecking=yes",
        ]),
  ];
}

/** The name under which ssh looks for the machine's key. */
function hostName({ host, port }: SshTarget): string {
  const name = host.slice(host.lastIndexOf("@") + 1).replace(/^\[|\]$/g, "");
  return port === undefined || port === 22 ? name : `[${name}]:${port}`;
}

/** A word for the shell at the other end. */
export function shellWord(text: string): string {
  return /^[0-9A-Za-z_./:=@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** Run whichever of two programs the other machine has; its login shell may be any. */
export function eitherProgram(ours: string, theirs: string): string {
  const [program] = ours.split(" ");
  return `exec sh -c ${shellWord(`if command -v ${program} >/dev/null 2>&1; then exec ${ours}; else exec ${theirs}; fi`)}`;
}
