import type { Credentials } from "../../fetch/index.ts";
import { obeyNetworkHabits } from "../process/index.ts";
import { type Access, NO_ACCESS } from "./access.ts";

export interface AskServerOptions {
  readonly url: string;
  /** Default GET. */
  readonly method?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: Uint8Array<ArrayBuffer> | undefined;
  /** Default: nobody says who asks. */
  readonly access?: Access | undefined;
  /** Do not follow a redirect from `https` to `http`. Default false. */
  readonly keepSecure?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Answer {
  readonly response: Response;
  /** Address that answered, after redirects; without a password. */
  readonly url: string;
  /** Addresses of `Link` fields with the relation `immutable`, of every answer on the way; the last one counts. */
  readonly immutable: string | undefined;
}

const MOST_REDIRECTS = 20;

/**
 * Ask a web server, following redirects. Who asks is told only to the host it is meant for: what stands in an address, what is
 * known beforehand of its host, or else, once the server has refused, what git's helpers know.
 *
 * @throws {Error} of `fetch`; for too many redirects, and those that may not be followed.
 */
export async function askServer(options: AskServerOptions): Promise<Answer> {
  await obeyNetworkHabits();
  const { access = NO_ACCESS, signal } = options;
  let { method = "GET", body, headers = {} } = options;
  let immutable: string | undefined;
  let at = new URL(options.url);
  for (let hop = 0; hop <= MOST_REDIRECTS; hop++) {
    const inAddress = credentialsIn(at);
    const isWhole = inAddress !== undefined && inAddress.password !== "";
    const ask = (credentials: Credentials | undefined): Promise<Response> =>
      fetch(withoutUser(at), {
        method,
        headers: { ...headers, ...authorization(credentials) },
        ...(body === undefined ? {} : { body }),
        redirect: "manual",
        ...(signal === undefined ? {} : { signal }),
      });
    // A name alone may be a token; a password that is known for it comes first.
    let response = await ask(isWhole ? inAddress : (access.known(at) ?? inAddress));
    if (response.status === 401 && !isWhole) {
      const found = await access.ask(at, signal);
      if (found !== undefined) {
        await response.body?.cancel();
        response = await ask(found);
        if (response.ok || response.status === 401) await access.tell(at, found, response.ok);
      }
    }
    immutable = immutableLink(response.headers.get("link"), at) ?? immutable;
    const next = redirect(response, at);
    if (next === undefined) return { response, url: withoutUser(at), immutable };
    await response.body?.cancel();
    if (options.keepSecure === true && at.protocol === "https:" && next.protocol !== "https:")
      throw new Error(`it leads from https to "${next.protocol}//${next.host}"`);
    if (response.status === 303) {
      method = "GET";
      body = undefined;
    }
    if (next.origin !== at.origin) headers = withoutAuthorization(headers);
    at = next;
  }
  throw new Error(`it leads on and on, more than ${MOST_REDIRECTS} times`);
}

function redirect(response: Response, at: URL): URL | undefined {
  if (![301, 302, 303, 307, 308].includes(response.status)) return undefined;
  const location = response.headers.get("location");
  if (location === null || !URL.canParse(location, at.href)) return undefined;
  const next = new URL(location, at);
  if (next.protocol !== "http:" && next.protocol !== "https:")
    throw new Error(`it leads to an address of the kind "${next.protocol}"`);
  // A relative redirect stays with who asked; another host is told only what it says itself.
  if (next.username === "" && next.origin === at.origin) {
    next.username = at.username;
    next.password = at.password;
  }
  return next;
}

function credentialsIn({ username, password }: URL): Credentials | undefined {
  if (username === "" && password === "") return undefined;
  return { username: decodeURIComponent(username), password: decodeURIComponent(password) };
}

function authorization(credentials: Credentials | undefined): Record<string, string> {
  if (credentials === undefined) return {};
  const words = `${credentials.username}:${credentials.password}`;
  return { authorization: `Basic ${Buffer.from(words).toString("base64")}` };
}

/** What a caller says of who asks is for the first host alone. */
function withoutAuthorization(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name.toLowerCase() !== "authorization"));
}

function withoutUser(url: URL): string {
  const bare = new URL(url);
  bare.username = "";
  bare.password = "";
  return bare.href;
}

/**
 * The address in a `Link` field whose relation is `immutable`, absolute.
 *
 * Source: RFC 8288; Nix manual, "Lockable HTTP Tarball Protocol".
 */
export function immutableLink(field: string | null, base: URL): string | undefined {
  for (const [, address = "", parameters = ""] of (field ?? "").matchAll(/<([^>]*)>((?:\s*;[^,;"]*(?:"[^"]*")?)*)/g)) {
    const relations = /;\s*rel\s*=\s*(?:"([^"]*)"|([^\s;,]+))/i.exec(parameters);
    const words = (relations?.[1] ?? relations?.[2] ?? "").toLowerCase().split(/\s+/);
    if (words.includes("immutable") && URL.canParse(address, base.href)) return new URL(address, base).href;
  }
  return undefined;
}
