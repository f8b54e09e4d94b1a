import { createServer, type Server, type Socket } from "node:net";
import { type DbusMessage, type DbusValue, decodeMessage, encodeMessage } from "./dbus-codec.ts";
import { unitPath } from "./service-manager.ts";

/** One unit of a service manager that is none: its properties, as they are sent. */
export type FakeUnit = Record<string, DbusValue>;

/**
 * Speaks as systemd does on its own socket, about units that a test makes up. Jobs end as `endOf` says, a moment after they were asked for.
 */
export class FakeManager {
  readonly units = new Map<string, FakeUnit>();
  /** How the next jobs end. */
  endOf = "done";
  /** Called when somebody has been told how a unit is. */
  onLook = (): void => {};
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #serial = 1;

  constructor(path: string) {
    this.#server = createServer((socket) => this.#serve(socket)).listen(path);
  }

  /** Change a unit, and tell of it. */
  set(name: string, properties: FakeUnit): void {
    this.units.set(name, { Id: name, LoadState: "loaded", SubState: "sub", Job: [0, "/"], ...properties });
    this.#signal({ path: unitPath(name), interface: "org.freedesktop.DBus.Properties", member: "PropertiesChanged" });
  }

  /** Hang up on everybody, as one that runs itself anew. */
  hangUp(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    this.hangUp();
    this.#server.close();
  }

  #signal(signal: Partial<DbusMessage>): void {
    for (const socket of this.#sockets)
      socket.write(encodeMessage({ kind: "signal", serial: this.#serial++, ...signal }));
  }

  #serve(socket: Socket): void {
    let rest: Buffer = Buffer.alloc(0);
    let greeted = false;
    socket.on("error", () => {}).on("close", () => this.#sockets.delete(socket));
    socket.on("data", (data: Buffer) => {
      rest = Buffer.concat([rest, data]);
      const begin = rest.indexOf("BEGIN\r\n");
      if (!greeted && begin >= 0) {
        greeted = rest.toString("latin1", 0, begin) === "\0AUTH EXTERNAL 30\r\n";
        rest = rest.subarray(begin + 7);
        socket.write(greeted ? "OK 0123456789abcdef0123456789abcdef\r\n" : "REJECTED EXTERNAL\r\n");
        this.#sockets.add(socket);
        // As systemd does: what came together with the greeting is looked at when more comes.
        return;
      }
      for (let next = greeted ? decodeMessage(rest) : undefined; next !== undefined; next = decodeMessage(rest)) {
        rest = rest.subarray(next.sizeBytes);
        const { serial } = next.message;
        const [signature, body] = this.#answer(next.message);
        const kind = signature === "error" ? "error" : "return";
        const parts = kind === "error" ? { error: "org.example.No", signature: "s" } : { signature };
        socket.write(encodeMessage({ kind, serial: this.#serial++, replyTo: serial, ...parts, body }));
        if (next.message.member === "GetAll") this.onLook();
      }
    });
  }

  #answer({ member = "", path = "", body = [] }: DbusMessage): [signature: string, body: DbusValue[]] {
    if (member === "GetAll") {
      const [, unit] = [...this.units].find(([name]) => unitPath(name) === path) ?? [];
      const nowhere: FakeUnit = { Id: "none", LoadState: "not-found", ActiveState: "inactive", SubState: "dead" };
      return ["a{sv}", [unit ?? nowhere]];
    }
    if (member === "ListUnitsFiltered") {
      const wanted = body[0] as string[];
      const found = [...this.units].filter(([, { ActiveState }]) => wanted.includes(ActiveState as string));
      return ["a(s)", [found.map(([name]) => [name])]];
    }
    if (!this.units.has(body[0] as string)) return ["error", [`Unit ${body[0]} not found.`]];
    const ended = { path: "/org/freedesktop/systemd1", member: "JobRemoved", signature: "uoss" };
    setTimeout(() => this.#signal({ ...ended, body: [1, "/job/1", body[0] as string, this.endOf] }), 5);
    return ["o", ["/job/1"]];
  }
}
