import { chmodSync, lstatSync, mkdirSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { dirname, join } from "node:path";
import { CodedError } from "../../base/index.ts";
import { admit, type AdmissionRules, type Admission, findNames } from "./admission.ts";
import { findPeer } from "./peer.ts";
import { type WorkerCommand, WorkerPool } from "./workers.ts";

/** Where clients of a store look for its daemon. */
export function daemonSocket(stateDirectory: string): string {
  return join(stateDirectory, "daemon-socket/socket");
}

export interface RunDaemonOptions {
  readonly socketPath: string;
  /** A socket that listens already, by descriptor, in place of `socketPath`: systemd makes it. */
  readonly inherited?: number | undefined;
  readonly rules: AdmissionRules;
  readonly worker: WorkerCommand;
  /** Ends the daemon and what it does for its clients. */
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

/** Longest path of a socket in bytes, its final NUL included. */
const LONGEST_SOCKET_PATH = 108;

/**
 * Listen for clients of the worker protocol until the signal.
 *
 * An ordinary user's daemon is for that user alone: the socket's mode keeps everybody else out, so who gets in is trusted. One
 * of root is for all users; the kernel says who each client is, and who cannot be identified is not trusted.
 *
 * @throws {CodedError} `daemon.running`, `daemon.socket`
 */
export async function runDaemon({
  socketPath,
  inherited,
  rules,
  worker,
  signal,
  say,
}: RunDaemonOptions): Promise<void> {
  const isShared = process.getuid?.() === 0;
  const server = createServer({ pauseOnConnect: true });
  const pool = new WorkerPool(worker);
  try {
    if (inherited !== undefined) await listening(server, () => server.listen({ fd: inherited }));
    else await listenAt(server, socketPath, isShared);
    server.on("connection", (socket) => {
      socket.on("error", () => {});
      void receive(socket).catch((error: unknown) => {
        socket.destroy();
        say(error instanceof Error ? error.message : String(error));
      });
    });
    say(`listening on ${inherited === undefined ? socketPath : "the socket that was handed over"}`);
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener("abort", () => resolve(), { once: true });
    });
  } finally {
    // Closing takes the socket file away.
    server.close();
    await pool.close();
  }

  async function receive(socket: Socket): Promise<void> {
    const admission = isShared || inherited !== undefined ? await judge(socket, rules) : "trusted";
    if (admission === "refused") {
      socket.destroy();
      say("a client was refused: it is not among the allowed users");
    } else if (!signal.aborted) pool.serve(socket, { trusted: admission === "trusted" });
  }
}

async function judge(socket: Socket, rules: AdmissionRules): Promise<Admission> {
  const peer = await findPeer(socket);
  return admit(peer === undefined ? undefined : findNames(peer, rules), rules);
}

async function listenAt(server: Server, socketPath: string, isShared: boolean): Promise<void> {
  if (Buffer.byteLength(socketPath) >= LONGEST_SOCKET_PATH) {
    throw new CodedError(
      "daemon.socket",
      `Cannot listen on "${socketPath}": the path of a socket has at most ${LONGEST_SOCKET_PATH - 1} bytes`,
      { hint: "Name a shorter one with --socket PATH." },
    );
  }
  mkdirSync(dirname(socketPath), { recursive: true, mode: 0o755 });
  await clearAway(socketPath);
  // Closed to others until we know whom it is for.
  const mask = process.umask(0o177);
  try {
    await listening(server, () => server.listen(socketPath));
  } catch (cause) {
    throw new CodedError("daemon.socket", `Cannot listen on "${socketPath}": ${(cause as Error).message}`, { cause });
  } finally {
    process.umask(mask);
  }
  if (isShared) chmodSync(socketPath, 0o666);
}

function listening(server: Server, listen: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.once("listening", () => {
      server.off("error", reject);
      resolve();
    });
    listen();
  });
}

/** A socket that nobody listens on any more is left over from a daemon that was killed. */
async function clearAway(socketPath: string): Promise<void> {
  const present = lstatSync(socketPath, { throwIfNoEntry: false });
  if (present === undefined) return;
  if (!present.isSocket())
    throw new CodedError(
      "daemon.socket",
      `Cannot listen on "${socketPath}": something else is there, expected a socket`,
    );
  const answers = await new Promise<boolean>((resolve) => {
    const socket = connect(socketPath);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
  if (answers) throw new CodedError("daemon.running", `Cannot listen on "${socketPath}": another daemon does already`);
  rmSync(socketPath);
}
