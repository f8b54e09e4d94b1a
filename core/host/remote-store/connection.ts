import type { ChildProcess } from "node:child_process";
import { connect } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { CodedError } from "../../base/index.ts";
import { WireReader, type WireOutput, WireWriter } from "../../store/wire/index.ts";
import { readBytes, writeBytes } from "../process/index.ts";

/** A stream of bytes to and from a server of a store. */
export interface Connection {
  readonly input: AsyncIterable<Uint8Array>;
  readonly output: WireOutput;
  /** What the other end said besides, for errors; empty when nothing. Asked when the connection is lost. */
  complaint(): Promise<string>;
  close(): void;
}

/** Makes a connection, each time it is called. */
export type Dial = () => Promise<Connection>;

/** Talk to whoever listens on a Unix socket. Error `remote-store.unreachable`. */
export function dialSocket(path: string): Dial {
  return () =>
    new Promise((resolve, reject) => {
      const socket = connect(path);
      socket.once("error", (cause) => {
        reject(
          new CodedError("remote-store.unreachable", `Cannot reach the daemon at "${path}": ${cause.message}`, {
            cause,
          }),
        );
      });
      socket.once("connect", () => {
        resolve({
          input: readBytes(socket),
          output: writeBytes(socket),
          complaint: async () => "",
          close: () => void socket.destroy(),
        });
      });
    });
}

/** Longest end of what a program says on stderr that is kept. */
const COMPLAINT_CHARACTERS = 4000;
/** A program that fails closes its output first and says why a moment later. */
const LAST_WORDS_MS = 2000;

/** Talk to a program by its standard input and output. @param start Starts it with three pipes. */
export function dialProgram(start: () => ChildProcess): Dial {
  return async () => {
    const child = start();
    const { stdin, stdout, stderr } = child;
    if (stdin === null || stdout === null) throw new Error("the program was started without pipes");
    let said = "";
    const ended = new Promise<void>((resolve) => void child.once("close", () => resolve()));
    child.on("error", (error) => {
      said += error.message;
    });
    stderr?.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-COMPLAINT_CHARACTERS);
    });
    return {
      input: readBytes(stdout),
      output: writeBytes(stdin),
      async complaint() {
        await Promise.race([ended, pause(LAST_WORDS_MS, undefined, { ref: false })]);
        return said.trim();
      },
      close() {
        stdin.destroy();
        stdout.destroy();
        child.kill();
      },
    };
  };
}

/** Both ends of a connection in the words of the protocols. */
export function talkOver({ input, output }: Connection): { readonly reader: WireReader; readonly writer: WireWriter } {
  return { reader: new WireReader(input), writer: new WireWriter(output) };
}
