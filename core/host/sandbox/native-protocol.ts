import { fromUtf8, utf8 } from "../../base/index.ts";
import { planSandbox } from "./plan.ts";
import type { RunInSandboxOptions } from "./sandbox.ts";
import type { BuildUser } from "./spec.ts";

/** What `floe-sandbox` answers; its source says what each means. */
export type NativeAnswer =
  | { readonly kind: "ready"; readonly isRoot: boolean; readonly refused: string | undefined }
  | { readonly kind: "started"; readonly id: number; readonly pid: number }
  | { readonly kind: "output"; readonly id: number; readonly chunk: Buffer }
  /** Status as `wait` gives it; the most memory one of its processes used, which an older program does not say. */
  | { readonly kind: "ended"; readonly id: number; readonly status: number; readonly peakKib?: number | undefined }
  | { readonly kind: "failed" | "not-run"; readonly id: number; readonly errno: number; readonly text: string }
  | { readonly kind: "lock"; readonly id: number; readonly errno: number }
  | { readonly kind: "removed"; readonly id: number; readonly errno: number };

/** Who a builder is that has no user of its own, in floe-sandbox's words: root, or the only user its name space knows. */
function ourselves(isRoot: boolean): BuildUser {
  return isRoot ? { uid: 0, gid: 0 } : { uid: 1, gid: 1 };
}

/** A request: its length, then words, each with its length and a zero behind it. */
export function formatRequest(words: readonly (string | Uint8Array)[]): Buffer {
  const bytes = words.map((word) => (typeof word === "string" ? utf8(word) : word));
  const size = bytes.reduce((sum, word) => sum + word.length + 5, 0);
  const request = Buffer.alloc(4 + size);
  let at = request.writeUInt32LE(size, 0);
  for (const word of bytes) {
    at = request.writeUInt32LE(word.length, at);
    request.set(word, at);
    at += word.length + 1;
  }
  return request;
}

/** The request that runs a builder; `isRoot` is what floe-sandbox said of itself. */
export function formatRun(id: number, { spec, builder, args }: RunInSandboxOptions, isRoot: boolean): Buffer {
  const { uid, gid, ids = 1 }: BuildUser = spec.user ?? ourselves(isRoot);
  const words: (string | Uint8Array)[] = ["run", String(id), "uid", String(uid), "gid", String(gid)];
  if (ids > 1) words.push("ids", String(ids));
  words.push("processes", String(spec.maxProcesses), "file-size", String(spec.maxFileBytes));
  if (spec.maxDataBytes !== 0) words.push("data", String(spec.maxDataBytes));
  if (spec.controlGroup !== undefined) words.push("group", spec.controlGroup);
  if (spec.allowNewPrivileges) words.push("privileges", "gain");
  words.push("seccomp", spec.filter);
  if (spec.network) words.push("network", "share");
  for (const step of planSandbox(spec)) words.push(...step);
  for (const [name, value] of spec.environment) words.push("env", `${name}=${value}`);
  words.push("builder", builder);
  for (const arg of args) words.push("arg", arg);
  return formatRequest(words);
}

/** Cuts a stream into answers. */
export class AnswerReader {
  #held: Buffer = Buffer.alloc(0);

  /** The answers that are complete with this chunk. */
  *read(chunk: Buffer): Generator<NativeAnswer> {
    let rest = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    while (rest.length >= 4) {
      const size = rest.readUInt32LE(0);
      if (rest.length < 4 + size) break;
      yield parseAnswer(rest.subarray(4, 4 + size));
      rest = rest.subarray(4 + size);
    }
    this.#held = rest.length === 0 ? rest : Buffer.from(rest);
  }
}

function parseAnswer(answer: Buffer): NativeAnswer {
  const letter = String.fromCharCode(answer[0] ?? 0);
  const id = answer.readUInt32LE(1);
  const rest = answer.subarray(5);
  const number = (): number => rest.readUInt32LE(0);
  switch (letter) {
    case "h":
      return { kind: "ready", isRoot: id === 1, refused: rest.length === 0 ? undefined : fromUtf8(rest) };
    case "s":
      return { kind: "started", id, pid: number() };
    case "o":
      return { kind: "output", id, chunk: Buffer.from(rest) };
    case "e":
      return { kind: "ended", id, status: number(), peakKib: rest.length >= 8 ? rest.readUInt32LE(4) : undefined };
    case "f":
    case "x":
      return {
        kind: letter === "f" ? "failed" : "not-run",
        id,
        errno: number(),
        text: fromUtf8(rest.subarray(4)),
      };
    case "l":
    case "d":
      return { kind: letter === "l" ? "lock" : "removed", id, errno: number() };
    default:
      throw new Error(`floe-sandbox answers with "${letter}"`);
  }
}
