import { existsSync, readFileSync } from "node:fs";
import { readBytes, writeBytes } from "../../../../core/host/process/index.ts";
import {
  type AdmissionRules,
  daemonSocket,
  DEFAULT_ADMISSION,
  parseAdmissionRules,
  runDaemon,
  workForDaemon,
} from "../../../../core/host/store-daemon/index.ts";
import { runWorkerConnection } from "../../../../core/host/store-server/index.ts";
import type { CliContext } from "../../context.ts";
import { serveLocally } from "../../serve-locally.ts";
import { openStore } from "../../store.ts";
import { VERSION } from "../../version.ts";
import type { DaemonFlags } from "./index.ts";

const SETTINGS = "/etc/floe/settings.json";
const SERVER_NAME = `floe ${VERSION}`;

/** The first descriptor that systemd hands over. Source: sd_listen_fds(3). */
const FIRST_INHERITED = 3;

/** `floe daemon`: serve the store by the worker protocol. */
export default async function daemon(this: CliContext, flags: DaemonFlags): Promise<void> {
  if (flags.connection) return workForDaemon({ ...hooks(this), open: () => open(this, flags) });
  if (flags.stdio) return serveStdio(this, flags);
  const { stateDirectory } = prepare(flags);
  // Our own program: start.ts, or what it was bundled into.
  const [, entry = ""] = process.argv;
  const stated = readRules();
  const rules = {
    trustedUsers: flags.trustedUsers?.split(",") ?? stated.trustedUsers,
    allowedUsers: flags.allowedUsers?.split(",") ?? stated.allowedUsers,
  };
  const isHandedOver = this.env["LISTEN_PID"] === String(process.pid) && Number(this.env["LISTEN_FDS"]) >= 1;
  await runDaemon({
    socketPath: flags.socket ?? daemonSocket(stateDirectory),
    inherited: isHandedOver ? FIRST_INHERITED : undefined,
    rules,
    worker: {
      program: process.execPath,
      args: [
        ...process.execArgv,
        entry,
        "daemon",
        "--connection",
        ...(flags.store === undefined ? [] : ["--store", flags.store]),
      ],
    },
    ...hooks(this),
  });
}

/** Only the machine's own settings count: they are root's, as the daemon that serves others is. */
function readRules(): AdmissionRules {
  return existsSync(SETTINGS) ? parseAdmissionRules(readFileSync(SETTINGS, "utf8"), SETTINGS) : DEFAULT_ADMISSION;
}

function hooks(context: CliContext) {
  return { signal: context.signal, say: (line: string) => context.say(line), serverName: SERVER_NAME };
}

/** Make the store now, so that the first client need not wait, and a store that cannot be written is told at once. */
function prepare(flags: DaemonFlags): { readonly stateDirectory: string } {
  using store = openStore(flags);
  return { stateDirectory: store.stateDirectory };
}

function open(context: CliContext, flags: DaemonFlags) {
  const store = openStore(flags);
  const services = serveLocally(context, store);
  return {
    services,
    async close() {
      await services.close();
      store.close();
    },
  };
}

/** Who can start us could do to the store whatever we can. */
async function serveStdio(context: CliContext, flags: DaemonFlags): Promise<void> {
  const { services, close } = open(context, flags);
  const input = readBytes(process.stdin);
  try {
    await runWorkerConnection({
      services,
      input,
      output: writeBytes(process.stdout),
      trusted: true,
      serverName: SERVER_NAME,
      signal: AbortSignal.any([context.signal, input.ended]),
    });
  } finally {
    process.stdin.destroy();
    await close();
  }
}
