import type { Duplex } from "node:stream";
import { CodedError } from "../../core/base/index.ts";
import type { DbusMessage, DbusValue } from "./dbus-codec.ts";
import { DbusConnection } from "./dbus-connection.ts";

/** Socket on which systemd speaks with root alone, from early in a boot on. */
export const SERVICE_MANAGER_SOCKET = "/run/systemd/private";

const MANAGER = { path: "/org/freedesktop/systemd1", interface: "org.freedesktop.systemd1.Manager" };
/** How long a connection is kept that nobody uses. */
const IDLE_MS = 500;
const PROPERTIES = "org.freedesktop.DBus.Properties";
const UNIT = "org.freedesktop.systemd1.Unit";
const UNITS = "/org/freedesktop/systemd1/unit/";

/** Properties of a unit by their names. Source: org.freedesktop.systemd1(5), "Unit Objects". */
export type UnitProperties = Readonly<Record<string, DbusValue>>;

/** The systemd of a guest: what it knows of its units, and its word when that changes. */
export class ServiceManager {
  readonly #connect: () => Promise<Duplex>;
  #connection: Promise<DbusConnection> | undefined;
  #users = 0;

  /** @param connect Connects to {@link SERVICE_MANAGER_SOCKET}; asked again when the manager has hung up, as when it runs itself anew. */
  constructor(connect: () => Promise<Duplex>) {
    this.#connect = connect;
  }

  /** All a unit has, or only what every unit has. */
  properties(unit: string, which: "all" | "common" = "all"): Promise<UnitProperties> {
    return this.#use(async (connection) => {
      const wanted = which === "all" ? "" : UNIT;
      const call = { path: unitPath(unit), interface: PROPERTIES, member: "GetAll", signature: "s", body: [wanted] };
      const [properties] = await connection.call(call);
      return properties as UnitProperties;
    });
  }

  /** Names of the units in one of these states, such as `failed`. */
  list(...states: string[]): Promise<string[]> {
    return this.#use(async (connection) => {
      const call = { ...MANAGER, member: "ListUnitsFiltered", signature: "as", body: [states] };
      const [units] = await connection.call(call);
      return (units as string[][]).map(([name]) => name ?? "").sort();
    });
  }

  /**
   * Queue a job for a unit and wait for its end.
   *
   * @returns systemd's word for how it ended: `done`, `failed`, `canceled`, `timeout`, `dependency`, `skipped`.
   * @throws {CodedError} `dbus.refused`; `dbus.closed` when the manager hangs up meanwhile.
   */
  job(verb: "Start" | "Stop" | "Restart" | "Reload", unit: string, signal: AbortSignal): Promise<string> {
    return this.#use(async (connection) => {
      const ends = new Map<string, string>();
      let look = (): void => {};
      const stop = connection.onSignal((message) => {
        if (message?.member === "JobRemoved") ends.set(String(message.body?.[1]), String(message.body?.[3]));
        look();
      });
      try {
        // A job may end before its number is known here, so the ends are collected from before it was asked for.
        const call = { ...MANAGER, member: `${verb}Unit`, signature: "ss", body: [unit, "replace"] };
        const [job] = await connection.call(call);
        for (;;) {
          const end = ends.get(String(job));
          if (end !== undefined) return end;
          signal.throwIfAborted();
          if (connection.closed)
            throw new CodedError("dbus.closed", "Cannot await a job: the service manager has hung up");
          await new Promise<void>((resolve) => {
            look = resolve;
            signal.addEventListener("abort", () => resolve(), { once: true });
          });
        }
      } finally {
        stop();
      }
    });
  }

  /**
   * A promise of the next news of a unit (or of the end of the conversation). Taken before one looks, it misses nothing.
   *
   * @param id The unit's own name, its `Id`: no alias.
   * @param signal Ends the listening, which also settles the promise.
   */
  async news(id: string, signal: AbortSignal): Promise<() => Promise<void>> {
    let listen = (): void => {};
    const listening = new Promise<void>((resolve) => {
      listen = resolve;
    });
    const came = this.#use(async (connection) => {
      await new Promise<void>((resolve) => {
        const stop = connection.onSignal((message) => {
          if (message === undefined || concerns(message, id)) end();
        });
        const end = (): void => {
          stop();
          signal.removeEventListener("abort", end);
          resolve();
        };
        if (signal.aborted) end();
        else signal.addEventListener("abort", end, { once: true });
        listen();
      });
    });
    await Promise.race([listening, came]);
    return () => came;
  }

  close(): void {
    void this.#connection?.then(
      (connection) => connection.close(),
      () => {},
    );
  }

  /** The manager sends its signals to everybody who is connected, so a connection that nobody uses is closed. */
  async #use<T>(work: (connection: DbusConnection) => Promise<T>): Promise<T> {
    this.#users++;
    try {
      return await work(await this.#get());
    } finally {
      if (--this.#users === 0) setTimeout(() => this.#users === 0 && this.close(), IDLE_MS).unref();
    }
  }

  #get(): Promise<DbusConnection> {
    const had = this.#connection;
    const opening = (async () => {
      const connection = await had?.catch(() => undefined);
      return connection?.closed === false ? connection : new DbusConnection(await this.#connect());
    })();
    this.#connection = opening;
    return opening;
  }
}

function concerns(message: DbusMessage, id: string): boolean {
  return message.path === unitPath(id) || message.body?.includes(id) === true;
}

/** The place of a unit among the manager's objects. Source: systemd, bus_label_escape(). */
export function unitPath(unit: string): string {
  const escaped = unit.replace(/[^A-Za-z0-9]/gu, (character) =>
    [...Buffer.from(character)].map((byte) => `_${byte.toString(16).padStart(2, "0")}`).join(""),
  );
  return `${UNITS}${escaped.replace(/^\d/, (digit) => `_${digit.charCodeAt(0).toString(16)}`) || "_"}`;
}
