import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { pathToFileURL } from "node:url";
import { CodedError } from "../../base/index.ts";
import { findCompiler } from "./compiler.ts";

/** A place in a text as editors count: both from 0, columns in UTF-16 units. */
export interface TextPosition {
  readonly line: number;
  readonly character: number;
}

/** One proposal while somebody writes. */
export interface Completion {
  readonly label: string;
  /** What the proposal is, as its type says. */
  readonly detail: string | undefined;
  /** What its comment says. */
  readonly documentation: string | undefined;
}

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

interface Message {
  readonly id?: number | string;
  readonly method?: string;
  readonly params?: unknown;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

/** Longest time for one answer, in milliseconds. */
const TIMEOUT_MS = 30_000;

/**
 * The language server that editors use for TypeScript (`tsc --lsp`), asked by us.
 *
 * Shape: JSON-RPC with `Content-Length` headers on the standard streams.
 * Source: Language Server Protocol 3.17.
 */
export class LanguageServer implements Disposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #waiting = new Map<number, Waiting>();
  readonly #versions = new Map<string, number>();
  #rest = Buffer.alloc(0);
  #count = 0;
  #ended: Error | undefined;

  private constructor(folder: string) {
    const { program } = findCompiler();
    // Without a path it finds no npm, with which it would download types for files that belong to no project.
    const env = { ...process.env, PATH: "/nowhere" };
    this.#child = spawn(program, ["--lsp", "--stdio"], { cwd: folder, env, stdio: ["pipe", "pipe", "ignore"] });
    this.#child.stdout.on("data", (bytes: Buffer) => this.#take(bytes));
    this.#child.stdin.on("error", () => {});
    this.#child.on("error", (error) => this.#end(error));
    this.#child.on("close", (status) => this.#end(new Error(`it ended with ${status ?? "a signal"}`)));
  }

  /**
   * Start one for a folder with a `tsconfig.json`.
   *
   * @throws {CodedError} `types.no-compiler`, `types.no-answer`
   */
  static async open(folder: string): Promise<LanguageServer> {
    const server = new LanguageServer(folder);
    const rootUri = pathToFileURL(folder).href;
    const capabilities = { textDocument: { completion: { completionItem: { documentationFormat: ["plaintext"] } } } };
    await server.#ask("initialize", {
      processId: process.pid,
      rootUri,
      workspaceFolders: [{ uri: rootUri, name: "flake" }],
      capabilities,
    });
    server.#tell("initialized", {});
    return server;
  }

  /** Give a file a text, which need not be on the disk. */
  write(file: string, text: string): void {
    const uri = pathToFileURL(file).href;
    const version = (this.#versions.get(uri) ?? 0) + 1;
    this.#versions.set(uri, version);
    if (version === 1)
      this.#tell("textDocument/didOpen", { textDocument: { uri, languageId: "typescript", version, text } });
    else this.#tell("textDocument/didChange", { textDocument: { uri, version }, contentChanges: [{ text }] });
  }

  /** What an editor shows for a name: its type and its comment, as text. `undefined` where there is no name. */
  async hover(file: string, position: TextPosition): Promise<string | undefined> {
    const answer = (await this.#ask("textDocument/hover", at(file, position))) as { contents?: unknown } | null;
    return answer === null ? undefined : markupText(answer.contents);
  }

  /** What an editor underlines in a file: from where, and why. */
  async faults(file: string): Promise<readonly (TextPosition & { readonly message: string })[]> {
    const textDocument = { uri: pathToFileURL(file).href };
    const answer = (await this.#ask("textDocument/diagnostic", { textDocument })) as { items?: readonly RawFault[] };
    const errors = (answer.items ?? []).filter(({ severity = 1 }) => severity === 1);
    return errors.map(({ range, message }) => ({ ...range.start, message }));
  }

  /** What an editor proposes at a place. Only the proposal that is asked for by `resolve` has a comment. */
  async complete(file: string, position: TextPosition, resolve?: string): Promise<readonly Completion[]> {
    const answer = (await this.#ask("textDocument/completion", at(file, position))) as
      | readonly RawItem[]
      | { readonly items: readonly RawItem[] }
      | null;
    const items = answer === null ? [] : "items" in answer ? answer.items : answer;
    return Promise.all(
      items.map(async (item) => {
        const whole =
          item.label.replace(/\?$/, "") === resolve
            ? ((await this.#ask("completionItem/resolve", item)) as RawItem)
            : item;
        return { label: item.label, detail: whole.detail, documentation: markupText(whole.documentation) };
      }),
    );
  }

  [Symbol.dispose](): void {
    this.#child.kill("SIGKILL");
  }

  #ask(method: string, params: unknown): Promise<unknown> {
    const id = ++this.#count;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => failed(new Error(`it took more than ${TIMEOUT_MS} ms`)), TIMEOUT_MS);
      const settle = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(id);
      };
      const failed = (cause: Error): void => {
        settle();
        const message = `Cannot ask the language server (${method}): ${cause.message}`;
        reject(new CodedError("types.no-answer", message, { cause }));
      };
      if (this.#ended !== undefined) return failed(this.#ended);
      this.#waiting.set(id, {
        resolve: (result) => {
          settle();
          resolve(result);
        },
        reject: failed,
      });
      this.#send({ id, method, params });
    });
  }

  #tell(method: string, params: unknown): void {
    this.#send({ method, params });
  }

  #send(message: Message): void {
    const body = Buffer.from(JSON.stringify({ jsonrpc: "2.0", ...message }));
    this.#child.stdin.write(Buffer.concat([Buffer.from(`Content-Length: ${body.length}\r\n\r\n`), body]));
  }

  #take(bytes: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    for (;;) {
      const end = this.#rest.indexOf("\r\n\r\n");
      if (end < 0) return;
      const length = Number(/content-length: *(\d+)/i.exec(this.#rest.toString("latin1", 0, end))?.[1] ?? Number.NaN);
      const start = end + 4;
      if (!Number.isSafeInteger(length)) return this.#end(new Error("it does not speak the protocol"));
      if (this.#rest.length < start + length) return;
      const text = this.#rest.toString("utf8", start, start + length);
      this.#rest = this.#rest.subarray(start + length);
      this.#receive(JSON.parse(text) as Message);
    }
  }

  #receive({ id, method, params, result, error }: Message): void {
    if (method !== undefined) {
      // What the server asks of editors: it gets no settings and may register what it likes.
      const items = (params as { items?: readonly unknown[] } | undefined)?.items;
      if (id !== undefined) this.#send({ id, result: items?.map(() => null) ?? null });
      return;
    }
    const waiting = this.#waiting.get(id as number);
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(new Error(error.message));
  }

  #end(error: Error): void {
    this.#ended ??= error;
    for (const { reject } of this.#waiting.values()) reject(error);
  }
}

interface RawFault {
  readonly range: { readonly start: TextPosition };
  readonly message: string;
  /** 1 is an error. */
  readonly severity?: number;
}

interface RawItem {
  readonly label: string;
  readonly detail?: string;
  readonly documentation?: unknown;
}

function at(file: string, position: TextPosition): object {
  return { textDocument: { uri: pathToFileURL(file).href }, position };
}

/** A text of the protocol, which has three forms. */
function markupText(contents: unknown): string | undefined {
  if (typeof contents === "string") return contents;
  if (Array.isArray(contents)) return contents.map(markupText).join("\n");
  const { value } = (contents ?? {}) as { value?: unknown };
  return typeof value === "string" ? value : undefined;
}
