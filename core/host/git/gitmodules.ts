import { CodedError } from "../../base/index.ts";
import { withoutCredentials } from "../../flake/index.ts";

/** A section of a file of git's settings; its name and those of its values are in lower case. */
export interface GitConfigSection {
  readonly section: string;
  readonly values: ReadonlyMap<string, string>;
}

/**
 * Read a file of git's settings: its sections in order, each with the last value of each name.
 *
 * Source: git-config(1): sections, `name = value`, quotes, escapes, comments, and lines that go on.
 */
export function readGitConfig(text: string): readonly GitConfigSection[] {
  const sections: { readonly section: string; readonly values: Map<string, string> }[] = [];
  for (const line of text.replace(/\\\r?\n/g, "").split(/\r?\n/)) {
    const header = /^\s*\[\s*([A-Za-z0-9.-]+)(?:\s+"(?:\\.|[^"\\])*")?\s*\](.*)$/.exec(line);
    if (header !== null) sections.push({ section: (header[1] as string).toLowerCase(), values: new Map() });
    const [, name, value] = /^\s*([A-Za-z][A-Za-z0-9-]*)\s*=(.*)$/.exec(header?.[2] ?? line) ?? [];
    if (name !== undefined && value !== undefined) sections.at(-1)?.values.set(name.toLowerCase(), plain(value));
  }
  return sections;
}

/** Read a `.gitmodules` file: the address of each path that has one. Source: gitmodules(5). */
export function parseGitmodules(text: string): Map<string, string> {
  const addresses = new Map<string, string>();
  for (const { section, values } of readGitConfig(text)) {
    const [path, url] = [values.get("path"), values.get("url")];
    if (section === "submodule" && path !== undefined && url !== undefined)
      addresses.set(path.replace(/\/+$/, ""), url);
  }
  return addresses;
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", b: "\b" };

/** A value without its quotes, escapes and comment. */
function plain(value: string): string {
  let text = "";
  let isQuoted = false;
  let end = 0;
  for (let i = 0; i < value.length; i++) {
    const character = value[i] as string;
    if (character === '"') isQuoted = !isQuoted;
    else if (character === "\\") {
      const next = value[++i] ?? "";
      text += ESCAPES[next] ?? next;
    } else if (!isQuoted && (character === "#" || character === ";")) break;
    else if (!isQuoted && text === "" && /\s/.test(character)) continue;
    else text += character;
    if (isQuoted || !/\s/.test(character)) end = text.length;
  }
  return text.slice(0, end);
}

/**
 * The address of a submodule, from what `.gitmodules` says and the address of the repository it is in.
 *
 * Shape: as {@link GitReference.url}. One that begins with `./` or `../` counts from the repository's own. A repository from
 * elsewhere may not name files of this machine.
 *
 * @throws {CodedError} `git.submodule-address`
 */
export function resolveSubmodule(said: string, path: string, parent: string): string {
  const fail = (found: string): CodedError =>
    new CodedError(
      "git.submodule-address",
      `Cannot fetch the submodule "${path}" of "${withoutCredentials(parent)}": ${found}`,
      { hint: "Leave out submodules=1, or ask its author for an https address in .gitmodules." },
    );
  const address = /^\.{1,2}\//.test(said) ? relativeTo(parent, said) : absolute(said);
  if (address === undefined || /^[a-z]+:\/\/-/.test(address))
    throw fail(`its address is "${withoutCredentials(said)}", expected https, http, ssh or a relative path`);
  if (address.startsWith("file://") && !parent.startsWith("file://"))
    throw fail(`its address "${said}" names a folder of this machine`);
  return address;
}

function absolute(said: string): string | undefined {
  if (/^(https?|ssh|file):\/\/./.test(said)) return said;
  if (said.startsWith("/")) return `file://${said}`;
  const scp = /^([A-Za-z0-9_.-]+@[A-Za-z0-9_.-]+):(?!\/\/)\/?(.+)$/.exec(said);
  return scp === null ? undefined : `ssh://${scp[1]}/${scp[2]}`;
}

function relativeTo(parent: string, said: string): string | undefined {
  const [, origin = "", path = ""] = /^([a-z]+:\/\/[^/]*)(.*)$/.exec(parent) ?? [];
  const parts = path.split("/").filter((part) => part !== "");
  for (const part of said.split("/")) {
    if (part === "..") {
      if (parts.pop() === undefined) return undefined;
    } else if (part !== "." && part !== "") parts.push(part);
  }
  return `${origin}/${parts.join("/")}`;
}
