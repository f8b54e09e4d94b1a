import { CodedError } from "../../core/base/index.ts";

/** A value of D-Bus as this program has it: integers of 64 bits are numbers where those are exact, dictionaries with texts for keys are objects. */
export type DbusValue =
  | string
  | number
  | bigint
  | boolean
  | readonly DbusValue[]
  | { readonly [key: string]: DbusValue };

/** One message. Source: D-Bus Specification, "Message Format". */
export interface DbusMessage {
  readonly kind: "call" | "return" | "error" | "signal";
  readonly serial: number;
  readonly path?: string;
  readonly interface?: string;
  readonly member?: string;
  readonly error?: string;
  readonly destination?: string;
  /** The call that is answered. */
  readonly replyTo?: number;
  /** Types of the body's values. */
  readonly signature?: string;
  readonly body?: readonly DbusValue[];
}

const KINDS = ["call", "return", "error", "signal"] as const;
/** Header fields by their codes. */
const FIELDS = [
  [1, "path", "o"],
  [2, "interface", "s"],
  [3, "member", "s"],
  [4, "error", "s"],
  [5, "replyTo", "u"],
  [6, "destination", "s"],
  [8, "signature", "g"],
] as const;
/** Bytes before the header's fields: byte order, kind, flags, version, body length, serial, length of the fields. */
const FIXED_BYTES = 16;
/** Source: D-Bus Specification, "Maximum message length". */
const MAX_MESSAGE_BYTES = 128 << 20;

const ALIGNMENTS: Readonly<Record<string, number>> = {
  ...{ y: 1, g: 1, v: 1, n: 2, q: 2, b: 4, i: 4, u: 4, h: 4, s: 4, o: 4, a: 4 },
  ...{ x: 8, t: 8, d: 8, "(": 8, "{": 8 },
};

function bad(found: string): CodedError {
  return new CodedError("dbus.malformed", `Cannot read a message of D-Bus: ${found}`);
}

/** The first whole type of a signature, and what follows it. */
function splitType(signature: string): [type: string, rest: string] {
  let at = 0;
  while (signature[at] === "a") at++;
  const open = signature[at];
  if (open === undefined) throw bad(`the signature "${signature}" ends too early`);
  if (open === "(" || open === "{") {
    for (let depth = 0; at < signature.length; at++) {
      if ("({".includes(signature[at] as string)) depth++;
      if (")}".includes(signature[at] as string) && --depth === 0) break;
    }
  }
  if (at >= signature.length) throw bad(`the signature "${signature}" has no end`);
  return [signature.slice(0, at + 1), signature.slice(at + 1)];
}

/** All types of a signature, one by one. */
function typesOf(signature: string): string[] {
  const types: string[] = [];
  for (let rest = signature; rest !== ""; ) {
    const [type, next] = splitType(rest);
    types.push(type);
    rest = next;
  }
  return types;
}

const isTextKey = (type: string): boolean => "sog".includes(type[2] ?? "");

/** A type for what is given as a variant, where a value alone has to tell it: lists are structures. */
function variantType(value: DbusValue): string {
  if (typeof value === "string") return "s";
  if (typeof value === "boolean") return "b";
  if (typeof value === "bigint") return value < 0n ? "x" : "t";
  if (typeof value === "number" && Number.isInteger(value) && Math.abs(value) < 2 ** 31) return "i";
  if (typeof value === "number") return "d";
  if (Array.isArray(value) && value.length > 0) return `(${value.map(variantType).join("")})`;
  throw bad("no type can be told from a variant's value");
}

class Writer {
  #bytes = Buffer.alloc(256);
  #length = 0;

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  align(to: number): void {
    this.#room((to - (this.#length % to)) % to);
  }

  #room(size: number): number {
    const at = this.#length;
    if (at + size > this.#bytes.length)
      this.#bytes = Buffer.concat([this.#bytes, Buffer.alloc(this.#bytes.length + size)]);
    this.#length += size;
    return at;
  }

  #number(sizeBytes: number, write: (bytes: Buffer, at: number) => void): void {
    const at = this.#room(sizeBytes);
    write(this.#bytes, at);
  }

  value(type: string, value: DbusValue): void {
    this.align(ALIGNMENTS[type[0] ?? ""] ?? 1);
    switch (type[0]) {
      case "y":
        this.#number(1, (bytes, at) => bytes.writeUInt8(Number(value), at));
        break;
      case "n":
      case "q":
        this.#number(2, (bytes, at) => bytes.writeUInt16LE(Number(value) & 0xffff, at));
        break;
      case "b":
      case "i":
      case "u":
      case "h":
        this.#number(4, (bytes, at) => bytes.writeUInt32LE(Number(value) >>> 0, at));
        break;
      case "x":
      case "t":
        this.#number(8, (bytes, at) => bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value as number)), at));
        break;
      case "d":
        this.#number(8, (bytes, at) => bytes.writeDoubleLE(Number(value), at));
        break;
      case "s":
      case "o":
        this.#text(Buffer.from(value as string), 4);
        break;
      case "g":
        this.#text(Buffer.from(value as string), 1);
        break;
      case "v":
        this.value("g", variantType(value));
        this.value(variantType(value), value);
        break;
      case "(":
        typesOf(type.slice(1, -1)).forEach((each, index) =>
          this.value(each, (value as DbusValue[])[index] as DbusValue),
        );
        break;
      case "a":
        this.#array(type.slice(1), value);
        break;
      default:
        throw bad(`there is no type "${type}"`);
    }
  }

  #text(data: Buffer, lengthBytes: number): void {
    if (lengthBytes === 1) this.#number(1, (bytes, at) => bytes.writeUInt8(data.length, at));
    else this.#number(4, (bytes, at) => bytes.writeUInt32LE(data.length, at));
    const at = this.#room(data.length + 1);
    data.copy(this.#bytes, at);
    this.#bytes[at + data.length] = 0;
  }

  #array(type: string, value: DbusValue): void {
    const lengthAt = this.#room(4);
    this.align(ALIGNMENTS[type[0] ?? ""] ?? 1);
    const begin = this.#length;
    if (type[0] === "{") {
      const [key = "", element = ""] = typesOf(type.slice(1, -1));
      const entries = (Array.isArray(value) ? value : Object.entries(value)) as [DbusValue, DbusValue][];
      for (const [name, each] of entries) {
        this.align(8);
        this.value(key, name);
        this.value(element, each);
      }
    } else for (const each of value as readonly DbusValue[]) this.value(type, each);
    this.#bytes.writeUInt32LE(this.#length - begin, lengthAt);
  }
}

class Reader {
  readonly #bytes: Buffer;
  #at: number;

  constructor(bytes: Buffer, at = 0) {
    this.#bytes = bytes;
    this.#at = at;
  }

  get at(): number {
    return this.#at;
  }

  align(to: number): void {
    this.#at += (to - (this.#at % to)) % to;
  }

  #take(size: number): number {
    const at = this.#at;
    if (at + size > this.#bytes.length) throw bad("it ends inside a value");
    this.#at += size;
    return at;
  }

  value(type: string): DbusValue {
    this.align(ALIGNMENTS[type[0] ?? ""] ?? 1);
    switch (type[0]) {
      case "y":
        return this.#bytes.readUInt8(this.#take(1));
      case "n":
        return this.#bytes.readInt16LE(this.#take(2));
      case "q":
        return this.#bytes.readUInt16LE(this.#take(2));
      case "b":
        return this.#bytes.readUInt32LE(this.#take(4)) !== 0;
      case "i":
        return this.#bytes.readInt32LE(this.#take(4));
      case "u":
      case "h":
        return this.#bytes.readUInt32LE(this.#take(4));
      case "x":
        return exactly(this.#bytes.readBigInt64LE(this.#take(8)));
      case "t":
        return exactly(this.#bytes.readBigUInt64LE(this.#take(8)));
      case "d":
        return this.#bytes.readDoubleLE(this.#take(8));
      case "s":
      case "o":
        return this.#text(this.#bytes.readUInt32LE(this.#take(4)));
      case "g":
        return this.#text(this.#bytes.readUInt8(this.#take(1)));
      case "v":
        return this.#variant();
      case "(":
        return typesOf(type.slice(1, -1)).map((each) => this.value(each));
      case "a":
        return this.#array(type.slice(1));
      default:
        throw bad(`there is no type "${type}"`);
    }
  }

  #text(length: number): string {
    const at = this.#take(length + 1);
    return this.#bytes.toString("utf8", at, at + length);
  }

  #variant(): DbusValue {
    const [type, rest] = splitType(this.value("g") as string);
    if (rest !== "") throw bad("a variant holds more than one value");
    return this.value(type);
  }

  #array(type: string): DbusValue {
    const length = this.#bytes.readUInt32LE(this.#take(4));
    this.align(ALIGNMENTS[type[0] ?? ""] ?? 1);
    const end = this.#at + length;
    if (end > this.#bytes.length) throw bad("an array is longer than its message");
    const values: DbusValue[] = [];
    const [key = "", element = ""] = type[0] === "{" ? typesOf(type.slice(1, -1)) : [];
    while (this.#at < end) {
      if (type[0] === "{") {
        this.align(8);
        values.push([this.value(key), this.value(element)]);
      } else values.push(this.value(type));
    }
    if (this.#at !== end) throw bad("an array's last value goes beyond its end");
    if (type[0] !== "{" || !isTextKey(`a${type}`)) return values;
    return Object.fromEntries(values as unknown as [string, DbusValue][]);
  }
}

function exactly(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** The bytes of a message, in little endian. */
export function encodeMessage(message: DbusMessage): Buffer {
  const body = new Writer();
  typesOf(message.signature ?? "").forEach((type, index) => body.value(type, message.body?.[index] as DbusValue));
  const header = new Writer();
  header.value("y", 0x6c);
  header.value("y", KINDS.indexOf(message.kind) + 1);
  header.value("y", 0);
  header.value("y", 1);
  header.value("u", body.bytes.length);
  header.value("u", message.serial);
  const fields = new Writer();
  for (const [code, name, type] of FIELDS) {
    const value = message[name];
    if (value === undefined || value === "") continue;
    // The fields' own beginning is a multiple of eight after the header's, so their places are those of a message.
    fields.align(8);
    fields.value("y", code);
    fields.value("g", type);
    fields.value(type, value);
  }
  header.value("u", fields.bytes.length);
  const whole = Buffer.concat([header.bytes, fields.bytes]);
  return Buffer.concat([whole, Buffer.alloc((8 - (whole.length % 8)) % 8), body.bytes]);
}

/**
 * Take the first message off some bytes.
 *
 * @returns the message and how many bytes it has; `undefined` when it is not all there yet.
 * @throws {CodedError} `dbus.malformed`
 */
export function decodeMessage(
  bytes: Buffer,
): { readonly message: DbusMessage; readonly sizeBytes: number } | undefined {
  if (bytes.length < FIXED_BYTES) return undefined;
  if (bytes[0] !== 0x6c) throw bad("it is not in little endian");
  const bodyBytes = bytes.readUInt32LE(4);
  const fieldBytes = bytes.readUInt32LE(12);
  const bodyAt = FIXED_BYTES + fieldBytes + ((8 - (fieldBytes % 8)) % 8);
  const sizeBytes = bodyAt + bodyBytes;
  if (sizeBytes > MAX_MESSAGE_BYTES) throw bad(`it has ${sizeBytes} bytes`);
  if (bytes.length < sizeBytes) return undefined;
  const fields = new Map(
    (new Reader(bytes.subarray(0, sizeBytes), 12).value("a(yv)") as [number, DbusValue][]).map(([code, value]) => [
      code,
      value,
    ]),
  );
  const kind = KINDS[(bytes[1] ?? 0) - 1];
  if (kind === undefined) throw bad(`there is no message of kind ${bytes[1]}`);
  const found: Record<string, DbusValue> = {};
  for (const [code, name] of FIELDS) {
    const value = fields.get(code);
    if (value !== undefined) found[name] = value;
  }
  // Values are aligned from the message's beginning, which is the same as from the body's.
  const reader = new Reader(bytes.subarray(bodyAt, sizeBytes));
  const body = typesOf((found["signature"] as string | undefined) ?? "").map((type) => reader.value(type));
  return { message: { kind, serial: bytes.readUInt32LE(8), ...found, body }, sizeBytes };
}
