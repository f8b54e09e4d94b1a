import { rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { QemuError } from "../errors.ts";
import { seededRandom } from "../random.ts";
import { Capture, type CapturedFrame, type CaptureOptions } from "./capture.ts";
import { encodeFrame, FrameSplitter, SHORTEST_FRAME_BYTES } from "./frame-stream.ts";
import { checkQuality, Link, type LinkQuality } from "./link.ts";

export interface NetworkSwitchOptions {
  readonly name: string;
  /** Folder for the ports' sockets, with a short path; see `makeRunDirectory`. */
  readonly folder: string;
  /** Where to write down what machines send, and what of it is kept. */
  readonly capture?: CaptureOptions;
  /** Chooses the frames that get lost, doubled or late. The same frames and seed give the same ones. Default: 1. */
  readonly seed?: number;
  /** Told in a sentence when a port was closed because of what came from it. */
  readonly onFault?: (text: string) => void;
}

/** What went through a port, seen from its machine. */
export interface PortCounts {
  readonly sentFrames: number;
  readonly receivedFrames: number;
  /** Lost on the cable, in either direction, or because the machine did not take them. */
  readonly lostFrames: number;
}

/** Addresses a switch remembers. Beyond that it forgets the one it learnt first, so that inventing them costs no memory. */
const MOST_ADDRESSES = 4096;

/** Bytes that may wait for a machine to read them. */
const MOST_UNREAD_BYTES = 4 * 1024 * 1024;

/**
 * An Ethernet switch for machines of one user, without privileges and without another process.
 *
 * It learns where addresses are, passes every frame on as it is (tagged ones too), and floods what it does not know. Machines connect by
 * `-netdev stream` to the socket of a port, which stays there from boot to boot.
 *
 * @example
 * const lan = new NetworkSwitch({ name: "lan", folder });
 * const web = await lan.openPort("web");
 * // -netdev stream,id=net0,server=off,addr.type=unix,addr.path=${web.path} -device virtio-net-pci,netdev=net0
 * web.setQuality({ delayMs: 50, loss: 0.1 });
 * lan.partition([["web"], ["database"]]);
 * lan.heal();
 */
export class NetworkSwitch {
  readonly name: string;
  readonly #folder: string;
  readonly #random: () => number;
  readonly #capture: Capture | undefined;
  readonly #onFault: (text: string) => void;
  readonly #ports = new Map<string, SwitchPort>();
  readonly #places = new Map<string, SwitchPort>();
  readonly #listeners = new Set<(frame: CapturedFrame, port: string) => void>();
  /** Number of its group by port; a port that is not here reaches all. */
  #groups: ReadonlyMap<string, number> = new Map();
  #opened = 0;

  constructor({ name, folder, capture, seed = 1, onFault = () => {} }: NetworkSwitchOptions) {
    this.name = name;
    this.#folder = folder;
    this.#random = seededRandom(seed);
    this.#onFault = onFault;
    this.#capture = capture === undefined ? undefined : new Capture(capture);
  }

  get ports(): ReadonlyMap<string, SwitchPort> {
    return this.#ports;
  }

  /** @throws {QemuError} `network.port-taken`, or `qemu.no-socket` when its socket can't be made. */
  async openPort(name: string): Promise<SwitchPort> {
    if (this.#ports.has(name)) {
      throw new QemuError(
        "network.port-taken",
        `Cannot open the port "${name}" of "${this.name}": it is there already`,
      );
    }
    const port = new SwitchPort({
      name,
      path: join(this.#folder, `${this.name}-${this.#opened++}.sock`),
      random: this.#random,
      onSent: (frame) => this.#see(frame, name),
      onArrived: (frame) => this.#forward(frame, port),
      onFault: (text) => this.#onFault(`port "${name}" of "${this.name}": ${text}`),
    });
    this.#ports.set(name, port);
    try {
      await port.listen();
    } catch (error) {
      this.#ports.delete(name);
      throw error;
    }
    return port;
  }

  /**
   * Cut the network into groups of ports that do not reach each other. A port in no group reaches all of them. What is under way arrives.
   *
   * @throws {QemuError} `network.no-port` for a name that no port has, or that is in two groups.
   */
  partition(groups: readonly (readonly string[])[]): void {
    const numbers = new Map<string, number>();
    for (const [number, group] of groups.entries()) {
      for (const name of group) {
        if (this.#ports.has(name) && !numbers.has(name)) {
          numbers.set(name, number);
          continue;
        }
        const found = numbers.has(name) ? `"${name}" is in two groups` : `there is no port "${name}"`;
        throw new QemuError("network.no-port", `Cannot cut the network "${this.name}": ${found}`, {
          hint: `Its ports are ${[...this.#ports.keys()].join(", ")}.`,
        });
      }
    }
    this.#groups = numbers;
  }

  /** Take the cuts of {@link partition} back. */
  heal(): void {
    this.#groups = new Map();
  }

  /** Hear of every frame when a machine sends it, with its port. @returns what ends that. */
  onFrame(listener: (frame: CapturedFrame, port: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#ports.values()].map((port) => port.close()));
    this.#ports.clear();
    this.#places.clear();
    this.#capture?.close();
  }

  /** Captured as sent: what gets lost on the cable is what a reader of the capture wants to find there. */
  #see(frame: Buffer, port: string): void {
    if (this.#capture === undefined && this.#listeners.size === 0) return;
    const captured = { timeMs: performance.timeOrigin + performance.now(), frame };
    this.#capture?.write(captured);
    for (const listener of this.#listeners) listener(captured, port);
  }

  #forward(frame: Buffer, from: SwitchPort): void {
    this.#learn(frame, from);
    const place = isGroupAddress(frame, 0) ? undefined : this.#places.get(addressAt(frame, 0));
    if (place !== undefined) {
      if (place !== from && this.#reaches(from, place)) place.send(frame);
      return;
    }
    for (const port of this.#ports.values()) {
      if (port !== from && this.#reaches(from, port)) port.send(frame);
    }
  }

  #learn(frame: Buffer, from: SwitchPort): void {
    if (isGroupAddress(frame, SOURCE_AT)) return;
    const source = addressAt(frame, SOURCE_AT);
    if (this.#places.get(source) === from) return;
    this.#places.delete(source);
    this.#places.set(source, from);
    if (this.#places.size <= MOST_ADDRESSES) return;
    const [oldest] = this.#places.keys();
    this.#places.delete(oldest as string);
  }

  #reaches(from: SwitchPort, to: SwitchPort): boolean {
    const [one, other] = [this.#groups.get(from.name), this.#groups.get(to.name)];
    return one === undefined || other === undefined || one === other;
  }
}

const SOURCE_AT = 6;

function addressAt(frame: Buffer, at: number): string {
  return frame.toString("latin1", at, at + 6);
}

function isGroupAddress(frame: Buffer, at: number): boolean {
  return ((frame[at] ?? 0) & 1) === 1;
}

interface SwitchPortOptions {
  readonly name: string;
  readonly path: string;
  readonly random: () => number;
  readonly onSent: (frame: Buffer) => void;
  readonly onArrived: (frame: Buffer) => void;
  readonly onFault: (text: string) => void;
}

/** One socket of a {@link NetworkSwitch} and the cable to its machine. */
export class SwitchPort {
  readonly name: string;
  /** Where QEMU connects. */
  readonly path: string;
  readonly #options: SwitchPortOptions;
  readonly #fromMachine: Link;
  readonly #toMachine: Link;
  readonly #server: Server;
  #socket: Socket | undefined;
  #connected = true;
  #sentFrames = 0;
  #receivedFrames = 0;
  #droppedFrames = 0;

  constructor(options: SwitchPortOptions) {
    const { name, path, random, onArrived } = options;
    this.name = name;
    this.path = path;
    this.#options = options;
    this.#fromMachine = new Link({ random, deliver: onArrived });
    this.#toMachine = new Link({ random, deliver: (frame) => this.#write(frame) });
    this.#server = createServer((socket) => this.#accept(socket));
  }

  get counts(): PortCounts {
    return {
      sentFrames: this.#sentFrames,
      receivedFrames: this.#receivedFrames,
      lostFrames: this.#fromMachine.lost + this.#toMachine.lost + this.#droppedFrames,
    };
  }

  /** Whether the cable is in. While it is not, nothing passes, and what was under way is lost; the machine keeps its carrier. */
  get connected(): boolean {
    return this.#connected;
  }

  set connected(connected: boolean) {
    this.#connected = connected;
    if (connected) return;
    this.#fromMachine.clear();
    this.#toMachine.clear();
  }

  /**
   * Make the cable worse or, with `{}`, perfect again. Frames that are under way keep their time.
   *
   * @throws {QemuError} `network.quality`
   */
  setQuality(quality: LinkQuality): void {
    this.#fromMachine.quality = this.#toMachine.quality = checkQuality(quality);
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", (cause) =>
        reject(new QemuError("qemu.no-socket", `Cannot listen on "${this.path}": ${cause.message}`, { cause })),
      );
      this.#server.listen(this.path, resolve);
    });
  }

  /** A frame for the machine. */
  send(frame: Buffer): void {
    if (this.#connected) this.#toMachine.send(frame);
  }

  async close(): Promise<void> {
    this.connected = false;
    this.#socket?.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    rmSync(this.path, { force: true });
  }

  /** Each boot is a QEMU of its own, so a new connection takes the place of the one before. */
  #accept(socket: Socket): void {
    this.#socket?.destroy();
    this.#socket = socket;
    const splitter = new FrameSplitter();
    socket.on("error", () => {});
    socket.on("close", () => {
      if (this.#socket === socket) this.#socket = undefined;
    });
    socket.on("data", (data: Buffer) => {
      try {
        for (const frame of splitter.push(data)) this.#take(frame);
      } catch (error) {
        if (!(error instanceof QemuError)) throw error;
        this.#options.onFault(error.message);
        socket.destroy();
      }
    });
  }

  #take(frame: Buffer): void {
    this.#sentFrames++;
    if (frame.length < SHORTEST_FRAME_BYTES) {
      this.#droppedFrames++;
      return;
    }
    this.#options.onSent(frame);
    if (this.#connected) this.#fromMachine.send(frame);
    else this.#droppedFrames++;
  }

  #write(frame: Buffer): void {
    const socket = this.#socket;
    if (socket === undefined || socket.writableLength > MOST_UNREAD_BYTES) {
      this.#droppedFrames++;
      return;
    }
    socket.write(encodeFrame(frame));
    this.#receivedFrames++;
  }
}
