import { CodedError, didYouMean } from "../../base/index.ts";

/** The address of a store, taken apart. */
export interface StoreUrl {
  /** What kind of store: `auto`, `local`, `file`, `http`, `https`, `s3`, `ssh`, … */
  readonly scheme: string;
  /** The address without its parameters. */
  readonly address: string;
  /** What follows `?`, each name once. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** Schemes that are written without an address. */
const WORDS = new Set(["auto", "local", "daemon"]);

/**
 * Read the address of a store: `auto`, `local`, `daemon`, a directory (`/srv/root`, `./root`: a chroot store), or
 * `SCHEME://…`, each with `?name=value&…`.
 *
 * @throws {CodedError} `store-url.malformed`
 *
 * Source: Nix manual, "Store URL format".
 */
export function parseStoreUrl(text: string): StoreUrl {
  const question = text.indexOf("?");
  const address = question < 0 ? text : text.slice(0, question);
  const parameters = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(question < 0 ? "" : text.slice(question + 1))) {
    if (parameters.has(name)) throw malformed(text, `"${name}" is there twice`);
    parameters.set(name, value);
  }
  if (address === "" || WORDS.has(address)) return { scheme: address || "auto", address, parameters };
  const [, scheme] = /^([a-z][a-z0-9+.-]*):\/\//i.exec(address) ?? [];
  if (scheme !== undefined) return { scheme: scheme.toLowerCase(), address, parameters };
  if (/^[./~]/.test(address))
    return { scheme: "local", address: "local", parameters: new Map([...parameters, ["root", address]]) };
  throw malformed(text, "it is neither a directory nor an address");
}

function malformed(text: string, found: string): CodedError {
  return new CodedError(
    "store-url.malformed",
    `Cannot read ${JSON.stringify(text)} as the address of a store: ${found}`,
    {
      hint: "Write `local`, a directory such as `./root`, or an address such as `https://cache.example.org` or `file:///srv/cache`.",
    },
  );
}

/** A parameter that is a number. @throws {CodedError} `store-url.malformed` */
export function numberParameter({ address, parameters }: StoreUrl, name: string): number | undefined {
  const text = parameters.get(name);
  if (text === undefined) return undefined;
  if (/^-?\d{1,9}$/.test(text)) return Number(text);
  throw malformed(`${address}?${name}=${text}`, `${name} has to be a number`);
}

/** A parameter without which the address means nothing. @throws {CodedError} `store-url.malformed` */
export function neededParameter({ address, parameters }: StoreUrl, name: string): string {
  const text = parameters.get(name);
  if (text !== undefined && text !== "") return text;
  throw malformed(address, `it needs ${name}=…`);
}

/** @throws {CodedError} `store-url.unknown-parameter` for one that is not among those the store knows */
export function checkParameters({ address, parameters }: StoreUrl, known: readonly string[]): void {
  for (const name of parameters.keys()) {
    if (known.includes(name)) continue;
    throw new CodedError(
      "store-url.unknown-parameter",
      `Cannot open the store ${JSON.stringify(address)}: it knows no parameter "${name}"`,
      { hint: didYouMean(name, known) ?? `It knows ${known.join(", ")}.` },
    );
  }
}

/** A parameter that is on or off. @throws {CodedError} `store-url.malformed` */
export function switchParameter({ address, parameters }: StoreUrl, name: string): boolean | undefined {
  const text = parameters.get(name);
  if (text === undefined) return undefined;
  if (text === "1" || text === "true") return true;
  if (text === "0" || text === "false") return false;
  throw malformed(`${address}?${name}=${text}`, `${name} has to be true or false`);
}
