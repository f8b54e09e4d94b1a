import { execFileSync, spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const folders: string[] = [];

/** For tests: an empty folder, removed at exit. */
export function temporaryFolder(): string {
  const folder = realpathSync(mkdtempSync(`${tmpdir()}/floe-test-`));
  if (folders.length === 0)
    process.once("exit", () => folders.forEach((one) => rmSync(one, { recursive: true, force: true })));
  folders.push(folder);
  return folder;
}

/** For tests: a real repository. */
export class TestRepository {
  readonly folder: string;
  #seconds = 1_700_000_000;

  constructor(folder: string) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true });
    this.git("init", "--quiet", "--initial-branch", "main");
  }

  git(...args: string[]): string {
    const date = `${this.#seconds} +0000`;
    const person = {
      GIT_AUTHOR_NAME: "a",
      GIT_AUTHOR_EMAIL: "a@example.org",
      GIT_COMMITTER_NAME: "a",
      GIT_COMMITTER_EMAIL: "a@example.org",
    };
    // Without it git begins another process after each commit, to see whether there is something to tidy.
    return execFileSync("git", ["-c", "maintenance.auto=false", ...args], {
      cwd: this.folder,
      encoding: "utf8",
      env: { PATH: process.env["PATH"], HOME: this.folder, ...person, GIT_AUTHOR_DATE: date, GIT_COMMITTER_DATE: date },
      stdio: ["ignore", "pipe", "pipe"],
    }).trim();
  }

  /** Write files: a text, `{ executable }`, or `{ link }`. */
  write(files: Readonly<Record<string, string | { executable: string } | { link: string }>>): this {
    for (const [name, content] of Object.entries(files)) {
      const path = join(this.folder, name);
      mkdirSync(dirname(path), { recursive: true });
      rmSync(path, { force: true });
      if (typeof content === "object" && "link" in content) symlinkSync(content.link, path);
      else writeFileSync(path, typeof content === "string" ? content : content.executable);
      if (typeof content === "object" && "executable" in content) chmodSync(path, 0o755);
    }
    return this;
  }

  /** Commit all, one day after the last one. @returns the revision. */
  commit(): string {
    this.#seconds += 86_400;
    this.git("add", "--all");
    this.git("commit", "--quiet", "--allow-empty", "--message", "change");
    return this.git("rev-parse", "HEAD");
  }
}

export interface TestServer {
  /** Ends in a slash; a repository in folder `a` is `${url}a`. */
  readonly url: string;
  /** Paths that were asked for. */
  readonly requests: string[];
  /** Who asked, in the same order; empty where nobody said. */
  readonly asked: string[];
  close(): Promise<void>;
}

export interface ServeOptions {
  /** Speak TLS with this key and certificate. */
  readonly tls?: { readonly key: string; readonly cert: string };
  /** Let in only who says this name and password. */
  readonly login?: { readonly username: string; readonly password: string };
  /** Send every request on to another server, whose address ends in a slash. */
  readonly redirectTo?: string;
  /** Answers what is no question to git, and says whether it did. */
  readonly beside?: (request: IncomingMessage, response: ServerResponse) => boolean;
}

/** For tests: a key and a certificate that it signs itself, for the loopback; `undefined` without the openssl program. */
export function makeCertificate(folder: string): { key: string; cert: string; certFile: string } | undefined {
  const args = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  const files = ["-keyout", `${folder}/key.pem`, "-out", `${folder}/cert.pem`];
  const about = ["-subj", "/CN=loopback", "-addext", "subjectAltName=IP:127.0.0.1"];
  if (spawnSync("openssl", [...args, ...files, ...about], { stdio: "ignore" }).status !== 0) return undefined;
  const read = (name: string): string => readFileSync(`${folder}/${name}`, "utf8");
  return { key: read("key.pem"), cert: read("cert.pem"), certFile: `${folder}/cert.pem` };
}

/** For tests: repositories below a folder, over smart HTTP on the loopback, by git's own server. */
export async function serveRepositories(root: string, options: ServeOptions = {}): Promise<TestServer> {
  const backend = join(execFileSync("git", ["--exec-path"], { encoding: "utf8" }).trim(), "git-http-backend");
  const { tls, login, redirectTo, beside } = options;
  const requests: string[] = [];
  const asked: string[] = [];
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const { pathname, search } = new URL(request.url ?? "/", "http://localhost");
    requests.push(`${request.method} ${pathname}`);
    const said = Buffer.from((request.headers.authorization ?? "").replace(/^Basic /, ""), "base64").toString();
    asked.push(said);
    if (login !== undefined && said !== `${login.username}:${login.password}`)
      return void response.writeHead(401, { "www-authenticate": 'Basic realm="test"' }).end();
    if (redirectTo !== undefined)
      return void response.writeHead(301, { location: `${redirectTo}${pathname.slice(1)}${search}` }).end();
    if (beside?.(request, response) === true) return;
    const child = spawn(backend, {
      env: {
        PATH: process.env["PATH"],
        GIT_PROJECT_ROOT: root,
        GIT_HTTP_EXPORT_ALL: "1",
        REQUEST_METHOD: request.method,
        PATH_INFO: decodeURIComponent(pathname),
        QUERY_STRING: search.slice(1),
        CONTENT_TYPE: request.headers["content-type"] ?? "",
        GIT_PROTOCOL: String(request.headers["git-protocol"] ?? ""),
      },
      stdio: ["pipe", "pipe", "ignore"],
    });
    request.pipe(child.stdin);
    const output: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
    child.on("close", () => {
      const all = Buffer.concat(output);
      const end = all.indexOf("\r\n\r\n");
      for (const line of all.subarray(0, end).toString().split("\r\n")) {
        const [name, value] = line.split(/: (.*)/s) as [string, string];
        if (name === "Status") response.statusCode = Number.parseInt(value, 10);
        else response.setHeader(name, value);
      }
      response.end(all.subarray(end + 4));
    });
  };
  const server = tls === undefined ? createServer(answer) : createSecureServer(tls, answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `${tls === undefined ? "http" : "https"}://127.0.0.1:${port}/`,
    requests,
    asked,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
