import { CodedError } from "../../base/index.ts";
import type { WireReader } from "./wire-reader.ts";
import type { WireWriter } from "./wire-writer.ts";

/** A field of an activity or its result. */
export type LogField = number | bigint | string;

/** What the server of the worker protocol sends before the result of an operation. */
export type LogMessage =
  /** One line for people. */
  | { readonly kind: "line"; readonly text: string }
  /** The server wants up to so many bytes (clients before 1.23). */
  | { readonly kind: "read"; readonly sizeBytes: number }
  /** Bytes for the client (protocols of old). */
  | { readonly kind: "write"; readonly data: Uint8Array }
  /** The operation has succeeded; its result follows. */
  | { readonly kind: "last" }
  /** The operation has failed; nothing follows. */
  | { readonly kind: "error"; readonly message: string; readonly status?: number }
  | {
      readonly kind: "start-activity";
      readonly id: bigint;
      readonly level: number;
      readonly type: number;
      readonly text: string;
      readonly fields: readonly LogField[];
      readonly parent: bigint;
    }
  | { readonly kind: "stop-activity"; readonly id: bigint }
  | { readonly kind: "result"; readonly id: bigint; readonly type: number; readonly fields: readonly LogField[] };

const TAG = {
  line: 0x6f6c6d67,
  read: 0x64617461,
  write: 0x64617416,
  last: 0x616c7473,
  error: 0x63787470,
  "start-activity": 0x53545254,
  "stop-activity": 0x53544f50,
  result: 0x52534c54,
} as const satisfies Record<LogMessage["kind"], number>;

/** The minor version from which errors carry more than text and exit status. */
const STRUCTURED_ERRORS = 26;

/** @param minor Minor version of the worker protocol. */
export function writeLogMessage(writer: WireWriter, message: LogMessage, minor: number): void {
  writer.number(TAG[message.kind]);
  switch (message.kind) {
    case "line":
      writer.text(message.text);
      break;
    case "read":
      writer.number(message.sizeBytes);
      break;
    case "write":
      writer.bytes(message.data);
      break;
    case "last":
      break;
    case "error":
      if (minor < STRUCTURED_ERRORS) writer.text(message.message).number(message.status ?? 1);
      // Type, level, name, message, no position, no traces.
      else writer.text("Error").number(0).text("Error").text(message.message).number(0).number(0);
      break;
    case "start-activity":
      writer.number(message.id).number(message.level).number(message.type).text(message.text);
      writeFields(writer, message.fields);
      writer.number(message.parent);
      break;
    case "stop-activity":
      writer.number(message.id);
      break;
    case "result":
      writer.number(message.id).number(message.type);
      writeFields(writer, message.fields);
      break;
  }
}

/** The inverse of {@link writeLogMessage}. @throws {CodedError} `wire.malformed` for an unknown tag. */
export async function readLogMessage(reader: WireReader, minor: number): Promise<LogMessage> {
  const tag = await reader.number();
  switch (tag) {
    case TAG.line:
      return { kind: "line", text: await reader.text() };
    case TAG.read:
      return { kind: "read", sizeBytes: await reader.number() };
    case TAG.write:
      return { kind: "write", data: await reader.bytes() };
    case TAG.last:
      return { kind: "last" };
    case TAG.error:
      return readError(reader, minor);
    case TAG["start-activity"]:
      return {
        kind: "start-activity",
        id: await reader.wideNumber(),
        level: await reader.number(),
        type: await reader.number(),
        text: await reader.text(),
        fields: await readFields(reader),
        parent: await reader.wideNumber(),
      };
    case TAG["stop-activity"]:
      return { kind: "stop-activity", id: await reader.wideNumber() };
    case TAG.result:
      return {
        kind: "result",
        id: await reader.wideNumber(),
        type: await reader.number(),
        fields: await readFields(reader),
      };
    default:
      throw new CodedError(
        "wire.malformed",
        `Cannot read a message of the store protocol: found the tag 0x${tag.toString(16)}, expected one of the log`,
      );
  }
}

async function readError(reader: WireReader, minor: number): Promise<LogMessage> {
  if (minor < STRUCTURED_ERRORS) return { kind: "error", message: await reader.text(), status: await reader.number() };
  await reader.text();
  await reader.number();
  await reader.text();
  const message = await reader.text();
  await reader.number();
  const traces = await reader.list(async () => {
    await reader.number();
    return reader.text();
  });
  return { kind: "error", message: [message, ...traces.map((trace) => `… ${trace}`)].join("\n") };
}

function writeFields(writer: WireWriter, fields: readonly LogField[]): void {
  writer.number(fields.length);
  for (const field of fields) {
    if (typeof field === "string") writer.number(1).text(field);
    else writer.number(0).number(field);
  }
}

async function readFields(reader: WireReader): Promise<LogField[]> {
  return reader.list<LogField>(async () => ((await reader.number(1)) === 1 ? reader.text() : reader.wideNumber()));
}
