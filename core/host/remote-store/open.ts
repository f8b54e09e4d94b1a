import { join } from "node:path";
import { CodedError } from "../../base/index.ts";
import { dialSocket } from "./connection.ts";
import { DaemonStore } from "./daemon-store.ts";
import { dialSsh, eitherProgram, shellWord, type SshTarget } from "./ssh.ts";
import { SshStore } from "./ssh-store.ts";

/** Where Nix's daemon and ours listen for the store at `/nix/store`. */
const SYSTEM_SOCKET = "/nix/var/nix/daemon-socket/socket";

/** Whether somebody serves the store at `/nix/store`, and lets us in. */
export async function isDaemonThere(socket: string = SYSTEM_SOCKET): Promise<boolean> {
  try {
    (await dialSocket(socket)()).close();
    return true;
  } catch {
    return false;
  }
}

/** The address of a remote store: without parameters, and these. */
export interface RemoteStoreUrl {
  readonly address: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/**
 * `daemon`, `unix://`, `unix:///path/to/socket`.
 *
 * Parameters: `max-connections`; `root` (the chroot store whose daemon is meant) in place of a path.
 */
export function openDaemonStore({ address, parameters }: RemoteStoreUrl): DaemonStore {
  const named = address.replace(/^(daemon$|unix:\/\/)/, "");
  const root = parameters.get("root");
  const path = named !== "" ? named : root === undefined ? SYSTEM_SOCKET : join(root, SYSTEM_SOCKET);
  return new DaemonStore({
    where: `"unix://${path}"`,
    dial: dialSocket(path),
    maxConnections: connections(parameters),
  });
}

/**
 * `ssh://[user@]host[:port]`, by the serve protocol.
 *
 * Parameters: `remote-program` (words; default `floe store serve`, or `nix-store` where there is no floe), `remote-store`,
 * `ssh-key`, `base64-ssh-public-host-key`, `compress`, `max-connections`.
 *
 * @throws {CodedError} `store-url.malformed`, `ssh.host`
 */
export function openSshStore({ address, parameters }: RemoteStoreUrl): SshStore {
  const target = sshTarget(address, parameters);
  const store = remoteStore(parameters);
  const program = parameters.get("remote-program");
  const command =
    program === undefined
      ? eitherProgram(`floe store serve --write${store}`, `nix-store --serve --write${store}`)
      : `${program} --serve --write${store}`;
  return new SshStore({
    where: `"${address}"`,
    dial: dialSsh(target, command),
    maxConnections: connections(parameters),
  });
}

/** `ssh-ng://[user@]host[:port]`, by the worker protocol; parameters and errors as {@link openSshStore}. */
export function openSshDaemonStore({ address, parameters }: RemoteStoreUrl): DaemonStore {
  const target = sshTarget(address, parameters);
  const store = remoteStore(parameters);
  const program = parameters.get("remote-program");
  const command =
    program === undefined
      ? eitherProgram(`floe daemon --stdio${store}`, `nix-daemon --stdio${store}`)
      : `${program} --stdio${store}`;
  return new DaemonStore({
    where: `"${address}"`,
    dial: dialSsh(target, command),
    maxConnections: connections(parameters) ?? 1,
  });
}

function sshTarget(address: string, parameters: ReadonlyMap<string, string>): SshTarget {
  const authority = address.replace(/^ssh(-ng)?:\/\//, "").replace(/\/$/, "");
  const [, host, port] = /^((?:[^@/]+@)?(?:\[[0-9A-Fa-f:.%]+\]|[^@:/[\]]+))(?::([0-9]{1,5}))?$/.exec(authority) ?? [];
  if (host === undefined) {
    throw new CodedError(
      "store-url.malformed",
      `Cannot read "${address}" as the address of a store: expected ssh://[user@]host[:port]`,
    );
  }
  return {
    // A name in brackets is an address of numbers, which ssh wants bare.
    host: decodeURIComponent(host).replace(/\[(.*)\]$/, "$1"),
    port: port === undefined ? undefined : Number(port),
    keyFile: parameters.get("ssh-key"),
    hostKeyBase64: parameters.get("base64-ssh-public-host-key"),
    compress: ["true", "1"].includes(parameters.get("compress") ?? ""),
  };
}

function remoteStore(parameters: ReadonlyMap<string, string>): string {
  const store = parameters.get("remote-store");
  return store === undefined ? "" : ` --store ${shellWord(store)}`;
}

function connections(parameters: ReadonlyMap<string, string>): number | undefined {
  const text = parameters.get("max-connections");
  if (text === undefined) return undefined;
  if (/^[1-9][0-9]?$/.test(text)) return Number(text);
  throw new CodedError("store-url.malformed", `Cannot use "max-connections=${text}": expected a number from 1 to 99`);
}
