import { CodedError, isRecord, utf8 } from "../base/index.ts";

/** What stands in a repository in the place of a large file (Git LFS). */
export interface LargeFile {
  /** sha256 of the contents, 64 hexadecimal digits. */
  readonly oid: string;
  readonly sizeBytes: number;
}

/** Longer than any pointer. Source: Git LFS specification, "The Pointer". */
export const LONGEST_POINTER_BYTES = 1024;

/**
 * Read the pointer to a large file; `undefined` for every other text.
 *
 * Source: Git LFS specification, "The Pointer".
 */
export function parsePointer(text: string): LargeFile | undefined {
  if (utf8(text).length >= LONGEST_POINTER_BYTES) return undefined;
  const [version, ...lines] = text.split("\n");
  if (
    version === undefined ||
    !/^version https:\/\/(git-lfs\.github\.com|hawser\.github\.com)\/spec\/v1$/.test(version)
  )
    return undefined;
  const values = new Map(lines.map((line) => [line.split(" ", 1)[0], line.slice(line.indexOf(" ") + 1)]));
  const oid = /^sha256:([0-9a-f]{64})$/.exec(values.get("oid") ?? "")?.[1];
  const size = values.get("size") ?? "";
  if (oid === undefined || !/^[0-9]{1,15}$/.test(size)) return undefined;
  return { oid, sizeBytes: Number(size) };
}

/**
 * Where the server of a repository's large files is.
 *
 * @param url Address of the repository, without `git+`.
 * @param declared What `lfs.url` of its `.lfsconfig` says.
 * @returns An `http` or `https` address without a final slash; `undefined` where there is none, as for a repository of this machine.
 *
 * Source: Git LFS documentation, "Server Discovery".
 */
export function largeFileServer(url: string, declared?: string): string | undefined {
  if (declared !== undefined) return /^https?:\/\/[^-/]/.test(declared) ? declared.replace(/\/+$/, "") : undefined;
  const [, scheme, rest = ""] = /^(https?|ssh):\/\/([^-].*?)\/*$/.exec(url) ?? [];
  if (scheme === undefined) return undefined;
  // The name and the port of ssh are not those of the web server beside it.
  const address =
    scheme === "ssh" ? `https://${rest.replace(/^[^/@]*@/, "").replace(/^([^/:]+):\d+/, "$1")}` : `${scheme}://${rest}`;
  return `${address}${address.endsWith(".git") ? "" : ".git"}/info/lfs`;
}

/** Where the contents of a large file can be had. */
export interface LargeFileAction {
  readonly href: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Kind of the questions and answers. */
export const LARGE_FILE_MEDIA = "application/vnd.git-lfs+json";

/** The question for a batch of large files. Source: Git LFS API, "Batch API". */
export function batchQuestion(files: readonly LargeFile[]): string {
  const objects = files.map(({ oid, sizeBytes }) => ({ oid, size: sizeBytes }));
  return JSON.stringify({ operation: "download", transfers: ["basic"], hash_algo: "sha256", objects });
}

/**
 * Read the answer: for each large file where it is, or why it cannot be had.
 *
 * @throws {CodedError} `git.lfs-answer` when it is none.
 */
export function readBatchAnswer(text: string): ReadonlyMap<string, LargeFileAction | string> {
  const malformed = (found: string): CodedError =>
    new CodedError("git.lfs-answer", `Cannot read what the server of large files says: ${found}`, {
      hint: "Leave out lfs=1, and pointers stand in the place of large files.",
    });
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    throw malformed("it is no JSON");
  }
  if (!isRecord(data) || !Array.isArray(data["objects"])) throw malformed("it has no objects");
  if (data["transfer"] !== undefined && data["transfer"] !== "basic")
    throw malformed(`found the transfer ${JSON.stringify(data["transfer"])}, expected "basic"`);
  const found = new Map<string, LargeFileAction | string>();
  for (const object of data["objects"] as unknown[]) {
    if (!isRecord(object) || typeof object["oid"] !== "string") throw malformed("an object has no oid");
    const { oid, error, actions } = object;
    const download = isRecord(actions) ? actions["download"] : undefined;
    if (isRecord(error))
      found.set(oid as string, `${String(error["message"] ?? "error")} (${String(error["code"] ?? "?")})`);
    else if (isRecord(download) && typeof download["href"] === "string" && /^https?:\/\//.test(download["href"]))
      found.set(oid as string, { href: download["href"], headers: headersOf(download["header"]) });
    else found.set(oid as string, "the server does not say where it is");
  }
  return found;
}

function headersOf(value: unknown): Record<string, string> {
  if (!isRecord(value)) return {};
  const fields = Object.entries(value).filter((field): field is [string, string] => typeof field[1] === "string");
  return Object.fromEntries(fields.map(([name, text]) => [name.toLowerCase(), text]));
}
