import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { existsSync } from "node:fs";
import { pathToFileURL } from "node:url";

const NAMES = ["chromium", "chromium-browser", "google-chrome"];

/** A browser of this host, if there is one; says once when not. */
export const BROWSER = findBrowser();

if (BROWSER === undefined) console.log("skipped what needs a browser: chromium is not installed");

function findBrowser(): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find((file) => existsSync(file));
}

/** A headless browser with one page, spoken to by its debugging protocol on a pipe. */
export class Browser {
  readonly #child: ChildProcess;
  readonly #profile: string;
  readonly #answers = new Map<number, (answer: { result?: unknown; error?: { message: string } }) => void>();
  readonly #events = new Map<string, () => void>();
  #last = 0;
  #session: string | undefined;

  private constructor(child: ChildProcess, profile: string) {
    this.#child = child;
    this.#profile = profile;
    let rest = "";
    child.stdio[4]?.on("data", (data: Buffer) => {
      const parts = (rest + data).split("\0");
      rest = parts.pop() ?? "";
      for (const part of parts) this.#receive(JSON.parse(part));
    });
  }

  /** Open a file's page and wait until it is loaded. */
  static async open(file: string): Promise<Browser> {
    const profile = mkdtempSync(join(tmpdir(), "floe-browser-"));
    const child = spawn(
      BROWSER as string,
      ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", `--user-data-dir=${profile}`],
      { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] },
    );
    const browser = new Browser(child, profile);
    const { targetId } = await browser.#send<{ targetId: string }>("Target.createTarget", { url: "about:blank" });
    const attached = { targetId, flatten: true };
    browser.#session = (await browser.#send<{ sessionId: string }>("Target.attachToTarget", attached)).sessionId;
    await browser.#send("Page.enable", {});
    const loaded = new Promise<void>((resolve) => browser.#events.set("Page.loadEventFired", resolve));
    await browser.#send("Page.navigate", { url: pathToFileURL(file).href });
    await loaded;
    return browser;
  }

  /** The value of an expression in the page, which may be a promise. */
  async ask<T>(expression: string): Promise<T> {
    const asked = { expression, awaitPromise: true, returnByValue: true };
    const { result, exceptionDetails } = await this.#send<{
      result: { value: T };
      exceptionDetails?: { exception?: { description?: string } };
    }>("Runtime.evaluate", asked);
    if (exceptionDetails !== undefined) throw new Error(exceptionDetails.exception?.description ?? "the page threw");
    return result.value;
  }

  /** A click of the mouse at a place of the window. */
  async click(x: number, y: number): Promise<void> {
    for (const type of ["mousePressed", "mouseReleased"]) {
      await this.#send("Input.dispatchMouseEvent", { type, x, y, button: "left", clickCount: 1 });
    }
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once("close", resolve));
    this.#session = undefined;
    const force = setTimeout(() => this.#child.kill("SIGKILL"), 5000);
    void this.#send("Browser.close", {});
    await ended;
    clearTimeout(force);
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }

  #send<T>(method: string, params: object): Promise<T> {
    const id = ++this.#last;
    const session = this.#session === undefined ? {} : { sessionId: this.#session };
    (this.#child.stdio[3] as NodeJS.WritableStream).write(`${JSON.stringify({ id, method, params, ...session })}\0`);
    return new Promise((resolve, reject) => {
      this.#answers.set(id, ({ result, error }) => {
        if (error === undefined) resolve(result as T);
        else reject(new Error(`${method}: ${error.message}`));
      });
    });
  }

  #receive(message: { id?: number; method?: string; result?: unknown; error?: { message: string } }): void {
    if (message.id !== undefined) this.#answers.get(message.id)?.(message);
    if (message.method !== undefined) this.#events.get(message.method)?.();
  }
}
