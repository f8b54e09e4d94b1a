import { execFile } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import {
  type AccessSettings,
  type Credentials,
  findAccessToken,
  findNetrcEntry,
  mergeAccessSettings,
  type NetrcEntry,
  parseAccessSettings,
  parseNetrc,
} from "../../fetch/index.ts";
import { findProgram } from "../process/find-program.ts";
import { ownSettingsPlaces, readSettingsFiles, type SettingsPlaces } from "../process/settings-files.ts";

/** How this machine's user shows who asks, when a server wants to know. */
export interface Access {
  /** What is known beforehand for an address: a token of the settings, or an entry of a netrc file. */
  known(url: URL): Credentials | undefined;
  /** What git's credential helpers know; asked when a server refused. */
  ask(url: URL, signal?: AbortSignal): Promise<Credentials | undefined>;
  /** Tell git's helpers how it went, so that they keep or forget it. */
  tell(url: URL, credentials: Credentials, isRight: boolean): Promise<void>;
}

/** For those that never say who they are. */
export const NO_ACCESS: Access = { known: () => undefined, ask: async () => undefined, tell: async () => {} };

/**
 * The access of this machine's user: `accessTokens` of the settings; the netrc files that `$NETRC` and `netrcFile` of the
 * settings name, `~/.netrc` and `/etc/floe/netrc`; then git's credential helpers.
 *
 * Nothing is read before the first question. A settings file with tokens that others may read, too, is told to `onNotice`, once.
 */
export function openAccess(
  places: SettingsPlaces = ownSettingsPlaces(),
  onNotice?: ((text: string) => void) | undefined,
): Access {
  let settings: AccessSettings | undefined;
  let netrc: readonly NetrcEntry[] | undefined;
  const { environment } = places;
  /** What worked, by host: a fetch asks a server many times. */
  const worked = new Map<string, Credentials>();
  return {
    known(url) {
      settings ??= readAccessSettings(places, onNotice);
      netrc ??= readNetrc(places, settings);
      return worked.get(url.origin) ?? findAccessToken(settings, url) ?? findNetrcEntry(netrc, url.hostname);
    },
    async ask(url, signal) {
      const answer = await gitCredential("fill", describe(url), environment, signal);
      const username = /^username=(.*)$/m.exec(answer ?? "")?.[1];
      const password = /^password=(.*)$/m.exec(answer ?? "")?.[1];
      return username === undefined || password === undefined ? undefined : { username, password };
    },
    async tell(url, credentials, isRight) {
      const { username, password } = credentials;
      if (isRight) worked.set(url.origin, credentials);
      const said = `${describe(url)}username=${username}\npassword=${password}\n`;
      await gitCredential(isRight ? "approve" : "reject", said, environment);
    },
  };
}

/** @throws {CodedError} `fetch.settings-malformed` */
export function readAccessSettings(places: SettingsPlaces, onNotice?: (text: string) => void): AccessSettings {
  const parts = readSettingsFiles(places).map(({ text, file }) => {
    const part = parseAccessSettings(text, file);
    if (onNotice !== undefined && Object.keys(part.accessTokens).length > 0) tellIfOpen(file, onNotice);
    return part;
  });
  return mergeAccessSettings(parts);
}

/** Files that were told of: a command asks for access many times. */
const told = new Set<string>();

function tellIfOpen(file: string, onNotice: (text: string) => void): void {
  const { mode = 0 } = statSync(file, { throwIfNoEntry: false }) ?? {};
  if ((mode & 0o044) === 0 || told.has(file)) return;
  told.add(file);
  onNotice(
    `warning: "${file}" has access tokens, and others on this machine may read it. Close it with: chmod 600 ${file}`,
  );
}

function readNetrc({ environment, home, root = "" }: SettingsPlaces, { netrcFile }: AccessSettings): NetrcEntry[] {
  const files = [environment["NETRC"], netrcFile, `${home}/.netrc`, `${root}/etc/floe/netrc`];
  return files.flatMap((file) => (file === undefined || file === "" ? [] : parseNetrc(tryRead(file) ?? "")));
}

/** What git wants to know of an address. Source: git-credential(1). */
function describe({ protocol, host, pathname, username }: URL): string {
  const path = decodeURIComponent(pathname).replace(/^\//, "");
  const lines = [`protocol=${protocol.slice(0, -1)}`, `host=${host}`, `path=${path}`];
  if (username !== "") lines.push(`username=${decodeURIComponent(username)}`);
  // A line break in an address would begin another line of the question.
  return `${lines.map((line) => line.replace(/[\n\0]/g, "")).join("\n")}\n`;
}

/** `undefined` where there is no git, or no helper knows. */
function gitCredential(
  action: "fill" | "approve" | "reject",
  said: string,
  environment: SettingsPlaces["environment"],
  signal?: AbortSignal,
): Promise<string | undefined> {
  const git = findProgram("git");
  if (git === undefined) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    // Helpers may know; nobody is asked on a terminal or in a window.
    const env = { ...environment, GIT_TERMINAL_PROMPT: "0", GIT_ASKPASS: "", SSH_ASKPASS: "" };
    const options = { env, timeout: 60_000, ...(signal === undefined ? {} : { signal }) };
    const child = execFile(git, ["-c", "core.askPass=", "credential", action], options, (error, stdout) =>
      resolve(error === null ? stdout : undefined),
    );
    child.stdin?.on("error", () => {});
    child.stdin?.end(`${said}\n`);
  });
}

function tryRead(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
