import {
  chmodSync,
  copyFileSync,
  createReadStream,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { fileURLToPath } from "node:url";
import { CodedError, fromBase16, makeHasher, toBase16 } from "../../base/index.ts";
import {
  attributeOf,
  type AttributeRule,
  batchQuestion,
  LARGE_FILE_MEDIA,
  type LargeFile,
  type LargeFileAction,
  largeFileServer,
  LONGEST_POINTER_BYTES,
  parseAttributes,
  parsePointer,
  readBatchAnswer,
} from "../../fetch/index.ts";
import { withoutCredentials } from "../../flake/index.ts";
import { makeScratch } from "../files/index.ts";
import { type Access, NO_ACCESS } from "../fetch/access.ts";
import { askServer } from "../fetch/ask-server.ts";
import { gather } from "../fetch/limits.ts";
import { downloadLimitBytes } from "../fetch/settings.ts";
import { download } from "../fetch/download.ts";
import type { FetchTreeOptions } from "./backend.ts";
import { readGitConfig } from "./gitmodules.ts";

export interface LargeFilesOptions extends Pick<FetchTreeOptions, "url" | "destination" | "signal"> {
  readonly access?: Access | undefined;
}

/** Large files in one question, as git's own program asks. */
const BATCH = 100;
const AT_ONCE = 6;
/** Addresses and tickets of a hundred files take a hundredth of this. */
const LONGEST_ANSWER_BYTES = 16 * 1024 * 1024;
const HINT = "Leave out lfs=1, and pointers stand in the place of large files.";

/**
 * Put the contents of large files (Git LFS) into the tree of a commit, in the place of the pointers that the repository has. Which files
 * are meant is said by its `.gitattributes` (`filter=lfs`), and what each has to be by its pointer.
 *
 * A repository of this machine has them in a folder of its own; for others its server, or the one that `.lfsconfig` names, is asked.
 *
 * @throws {CodedError} `git.lfs-address`, `git.lfs-refused`, `git.lfs-answer`, `git.lfs-missing`, `git.lfs-mismatch`
 */
export async function putLargeFiles({ url, destination, signal, access }: LargeFilesOptions): Promise<void> {
  const places = findPointers(destination);
  if (places.length === 0) return;
  const files = [...new Map(places.map(({ file }) => [file.oid, file])).values()];
  const shown = withoutCredentials(url);
  const folder = makeScratch("large");
  try {
    if (url.startsWith("file://")) for (const { oid } of files) copyOwn(fileURLToPath(url), oid, `${folder}/${oid}`);
    const missing = files.filter(({ oid }) => !existsSync(`${folder}/${oid}`));
    if (missing.length > 0) {
      const server = serverOf(url, destination, shown);
      await fetchAll(missing, { folder, shown, server, signal, access });
    }
    for (const file of files) await checkContents(`${folder}/${file.oid}`, file, shown);
    for (const { path, file } of places) {
      copyFileSync(`${folder}/${file.oid}`, `${folder}/new`);
      chmodSync(`${folder}/new`, lstatSync(`${destination}/${path}`).mode & 0o777);
      renameSync(`${folder}/new`, `${destination}/${path}`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Place {
  /** Relative to the top of the tree. */
  readonly path: string;
  readonly file: LargeFile;
}

/** Pointers in a tree; links are not followed. */
function findPointers(top: string): Place[] {
  const rules = new Map<string, readonly AttributeRule[]>();
  const rulesOf = (folder: string): readonly AttributeRule[] => rules.get(folder) ?? [];
  const places: Place[] = [];
  const walk = (folder: string): void => {
    const entries = readdirSync(`${top}/${folder}`, { withFileTypes: true });
    if (entries.some((entry) => entry.name === ".gitattributes" && entry.isFile()))
      rules.set(folder, parseAttributes(readFileSync(`${top}/${folder}/.gitattributes`, "utf8")));
    for (const entry of entries) {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) walk(path);
      if (!entry.isFile() || statSync(`${top}/${path}`).size >= LONGEST_POINTER_BYTES) continue;
      if (attributeOf(path, "filter", rulesOf) !== "lfs") continue;
      const file = parsePointer(readFileSync(`${top}/${path}`, "utf8"));
      if (file !== undefined) places.push({ path, file });
    }
  };
  walk("");
  return places;
}

/** What a repository of this machine has of its own. */
function copyOwn(repository: string, oid: string, to: string): void {
  for (const folder of [`${repository}/.git/lfs`, `${repository}/lfs`]) {
    const from = `${folder}/objects/${oid.slice(0, 2)}/${oid.slice(2, 4)}/${oid}`;
    if (existsSync(from)) return copyFileSync(from, to);
  }
}

function serverOf(url: string, destination: string, shown: string): string {
  const config = `${destination}/.lfsconfig`;
  const isThere = lstatSync(config, { throwIfNoEntry: false })?.isFile() === true;
  const sections = isThere ? readGitConfig(readFileSync(config, "utf8")) : [];
  const declared = sections
    .findLast(({ section, values }) => section === "lfs" && values.has("url"))
    ?.values.get("url");
  const server = largeFileServer(url, declared);
  if (server !== undefined) return server;
  const found =
    declared === undefined
      ? "they are not in it, and it names no server"
      : `its .lfsconfig names "${withoutCredentials(declared)}", expected an http or https address`;
  throw new CodedError("git.lfs-address", `Cannot fetch the large files of "${shown}": ${found}`, { hint: HINT });
}

interface Fetching {
  /** Takes the contents, each by its digest. */
  readonly folder: string;
  readonly shown: string;
  readonly server: string;
  readonly signal: AbortSignal | undefined;
  readonly access: Access | undefined;
}

async function fetchAll(files: readonly LargeFile[], fetching: Fetching): Promise<void> {
  for (let at = 0; at < files.length; at += BATCH) {
    const batch = files.slice(at, at + BATCH);
    const answer = readBatchAnswer(await askBatch(batch, fetching));
    const queue = [...batch];
    const worker = async (): Promise<void> => {
      for (let file = queue.shift(); file !== undefined; file = queue.shift())
        await fetchOne(file, answer.get(file.oid) ?? "the server did not answer for it", fetching);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  }
}

async function askBatch(files: readonly LargeFile[], { server, access, signal, shown }: Fetching): Promise<string> {
  const refused = (said: string, cause?: unknown): CodedError =>
    new CodedError(
      "git.lfs-refused",
      `Cannot fetch the large files of "${shown}" from "${withoutCredentials(server)}": ${said}`,
      {
        cause,
        hint: HINT,
      },
    );
  const { response } = await askServer({
    url: `${server}/objects/batch`,
    method: "POST",
    headers: { accept: LARGE_FILE_MEDIA, "content-type": LARGE_FILE_MEDIA },
    body: new TextEncoder().encode(batchQuestion(files)),
    access,
    keepSecure: true,
    signal,
  }).catch((cause: unknown) => {
    signal?.throwIfAborted();
    const reason = (cause as Error).cause ?? cause;
    throw refused((reason as Error).message, cause);
  });
  if (!response.ok) {
    await response.body?.cancel();
    throw refused(`it answered ${response.status} ${response.statusText}`.trim());
  }
  const text = await gather(response.body ?? [], LONGEST_ANSWER_BYTES);
  if (text === undefined) throw refused(`its answer has more than ${LONGEST_ANSWER_BYTES} bytes`);
  return text.toString();
}

async function fetchOne(file: LargeFile, action: LargeFileAction | string, fetching: Fetching): Promise<void> {
  const { folder, shown, signal = new AbortController().signal, access } = fetching;
  if (typeof action === "string")
    throw new CodedError("git.lfs-missing", `Cannot fetch the large file ${file.oid} of "${shown}": ${action}`, {
      hint: HINT,
    });
  await download({
    urls: [action.href],
    to: `${folder}/${file.oid}`,
    algorithm: "sha256",
    headers: action.headers,
    // Who has been given a ticket shows that, and nothing else.
    access: "authorization" in action.headers ? NO_ACCESS : access,
    keepSecure: true,
    limitBytes: Math.min(file.sizeBytes, downloadLimitBytes()),
    signal,
  }).catch((error: unknown) => {
    if (!(error instanceof CodedError) || error.code !== "fetch.too-large" || file.sizeBytes > downloadLimitBytes())
      throw error;
    throw mismatch(file, shown, `more than ${file.sizeBytes} bytes`);
  });
}

/** Whoever gave the contents: they have to be those that the pointer means. */
async function checkContents(place: string, file: LargeFile, shown: string): Promise<void> {
  const { oid, sizeBytes } = file;
  const hasher = makeHasher("sha256");
  for await (const chunk of createReadStream(place, { highWaterMark: 1 << 18 })) hasher.update(chunk as Buffer);
  const { size } = statSync(place);
  const { digest } = hasher.digest();
  if (size === sizeBytes && Buffer.compare(digest, fromBase16(oid)) === 0) return;
  throw mismatch(file, shown, `${toBase16(digest)}, ${size} bytes`);
}

function mismatch({ oid, sizeBytes }: LargeFile, shown: string, found: string): CodedError {
  return new CodedError(
    "git.lfs-mismatch",
    `Cannot take the large file ${oid} of "${shown}": its contents are not what its pointer means`,
    { details: [`expected: ${oid}, ${sizeBytes} bytes`, `found:    ${found}`], hint: HINT },
  );
}
