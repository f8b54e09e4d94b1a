import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findProgram } from "qemu-wrapper";
import { CodedError } from "../../core/base/index.ts";
import type { Screen } from "../machine.ts";
import { enlargePicture } from "./enlarge-picture.ts";
import type { GuestCalls } from "./guest-calls.ts";
import type { GuestContext } from "./guest-context.ts";
import { keysFor, parseChord } from "./keyboard.ts";

/** Letters of a console are as high as Tesseract likes them then. Measured: three times as large costs more, and reads no better. */
const LARGER = 2;

/** Screen and keyboard of one machine. */
export class GuestScreen implements Screen {
  readonly #context: GuestContext;
  readonly #calls: GuestCalls;
  #pictures = 0;

  constructor(context: GuestContext, calls: GuestCalls) {
    this.#context = context;
    this.#calls = calls;
  }

  press(...chords: string[]): Promise<void> {
    return this.#calls.call(`press ${chords.join(" ")}`, () => this.#send(chords.map(parseChord)));
  }

  type(text: string): Promise<void> {
    return this.#calls.call("type", () => this.#send([...text].map(keysFor)));
  }

  text(console = 1): Promise<string> {
    return this.#calls.call("read the screen", () => this.#text(console));
  }

  waitForText(pattern: RegExp | string, console = 1): Promise<string> {
    return this.#calls.call(`wait for ${pattern} on the screen`, () =>
      this.#context.until(`see ${pattern} on the screen`, async () => {
        const lines = (await this.#text(console)).split("\n");
        const line = lines.find((each) => matches(each, pattern));
        if (line !== undefined) return { value: line };
        return { seen: lines.findLast((each) => each.trim() !== "") ?? "an empty screen" };
      }),
    );
  }

  screenshot(name?: string): Promise<string> {
    return this.#calls.call("take a picture", () => this.#screenshot(name));
  }

  readPicture(): Promise<string> {
    return this.#calls.call("read a picture", () => this.#readPicture());
  }

  waitForPicture(pattern: RegExp | string): Promise<string> {
    return this.#calls.call(`wait for ${pattern} in the picture`, () =>
      this.#context.until(`see ${pattern} in the picture`, async () => {
        const text = await this.#readPicture();
        return matches(text, pattern) ? { value: text } : { seen: text.trim().split("\n").at(-1) ?? "nothing" };
      }),
    );
  }

  async #send(chords: readonly (readonly string[])[]): Promise<void> {
    this.#check();
    const { qmp } = this.#context.boot().machine;
    for (const keys of chords) {
      await qmp.command("send-key", { keys: keys.map((data) => ({ type: "qcode", data })), "hold-time": 20 });
      // The keyboard's buffer has sixteen places: a guest that is slow must have read one chord before the next comes.
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
  }

  /** A console's characters with their attributes, behind four bytes: rows, columns and the cursor's place. Source: vcs(4). */
  async #text(console: number): Promise<string> {
    this.#check();
    const result = await this.#context.limited(
      this.#context.boot().agent.exec(["cat", `/dev/vcsa${console}`]).result,
      "read the screen",
    );
    if (result.status !== 0)
      throw new CodedError(
        "screen.no-text",
        `Cannot read the screen of "${this.#context.name}": ${result.stderr.toString().trim()}`,
      );
    const [rows = 0, columns = 0] = result.stdout;
    const character = (row: number, column: number): string =>
      String.fromCharCode(result.stdout[4 + 2 * (row * columns + column)] ?? 32);
    const line = (row: number): string =>
      Array.from({ length: columns }, (_, column) => character(row, column))
        .join("")
        .trimEnd();
    return Array.from({ length: rows }, (_, row) => `${line(row)}\n`).join("");
  }

  async #screenshot(name = `screen-${++this.#pictures}`): Promise<string> {
    this.#check();
    const folder = join(this.#context.host.folder, "files");
    await mkdir(folder, { recursive: true });
    const file = join(folder, name.endsWith(".png") ? name : `${name}.png`);
    await this.#context.boot().machine.qmp.command("screendump", { filename: file, format: "png" });
    return file;
  }

  async #readPicture(): Promise<string> {
    this.#check();
    const { host } = this.#context;
    const tesseract = host.tesseract ?? findProgram("tesseract");
    if (tesseract === undefined) {
      throw new CodedError("screen.no-ocr", "Cannot read a picture: there is no tesseract for it", {
        hint: "Say ocr: true for the machine, install it on this host, or read a text console with screen.text().",
      });
    }
    const stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, this.#context.boot().signal]);
    try {
      return await this.#context.limited(this.#readBy(tesseract, signal), "read a picture");
    } finally {
      stop.abort();
    }
  }

  async #readBy(tesseract: string, signal: AbortSignal): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), "floe-picture-"));
    try {
      const shown = join(folder, "shown.ppm");
      await this.#context.boot().machine.qmp.command("screendump", { filename: shown }, signal);
      const larger = join(folder, "larger.pgm");
      await writeFile(larger, enlargePicture(await readFile(shown), LARGER));
      return await readBy(tesseract, larger, signal);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  #check(): void {
    if (this.#context.host.hasScreen) return;
    throw new CodedError("machine.no-screen", `Cannot use the screen of "${this.#context.name}": it has none`, {
      hint: "Say screen: true for the machine.",
    });
  }
}

function matches(text: string, pattern: RegExp | string): boolean {
  return typeof pattern === "string" ? text.includes(pattern) : text.search(pattern) >= 0;
}

/**
 * What a program in tesseract's manner reads in a picture. The program ends with `signal`, whose reason is then the failure.
 *
 * @throws {CodedError} `screen.ocr-failed`
 */
export function readBy(program: string, picture: string, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, [picture, "-", "--psm", "6"], {
      stdio: ["ignore", "pipe", "pipe"],
      signal,
      killSignal: "SIGKILL",
    });
    const said = { stdout: "", stderr: "" };
    child.stdout.setEncoding("utf8").on("data", (text: string) => (said.stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (said.stderr += text));
    const fail = (why: string): void =>
      reject(new CodedError("screen.ocr-failed", `Cannot read the picture "${picture}": ${why}`));
    child.on("error", (error) => (signal.aborted ? reject(signal.reason) : fail(error.message)));
    child.on("close", (status) =>
      status === 0 ? resolve(said.stdout) : fail(said.stderr.trim() || `status ${status}`),
    );
  });
}
