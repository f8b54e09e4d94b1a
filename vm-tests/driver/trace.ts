import type { QmpTraffic } from "qemu-wrapper";
import { FRAME } from "./agent-protocol.ts";

/** A line of a machine's trace. */
export type TraceEntry =
  | ({ readonly kind: "qmp" } & QmpTraffic)
  | {
      readonly kind: "agent";
      readonly to: "guest" | "host";
      /** What the frame means, by the names of the protocol. */
      readonly frame: string;
      readonly stream: number;
      readonly bytes: number;
      /** So many frames of one kind, told as one. */
      readonly frames?: number;
    };

const NAMES: ReadonlyMap<number, string> = new Map(Object.entries(FRAME).map(([name, type]) => [type, name]));

/** Frames that come by the thousand: those of one stream are told together, before its next frame of another kind. */
const BULK: ReadonlySet<number> = new Set([
  FRAME.stdin,
  FRAME.stdout,
  FRAME.stderr,
  FRAME.stdinRead,
  FRAME.stdoutRead,
  FRAME.putData,
  FRAME.putHole,
  FRAME.getData,
  FRAME.getHole,
]);

interface Bulk {
  readonly to: "guest" | "host";
  readonly type: number;
  readonly stream: number;
  frames: number;
  bytes: number;
}

/** Writes down what the driver says to QEMU and to the agent of a machine, and what they answer; of bulk data only how much it was. */
export class TraceRecorder {
  readonly #record: (entry: TraceEntry) => void;
  readonly #bulk = new Map<number, Map<string, Bulk>>();

  constructor(record: (entry: TraceEntry) => void) {
    this.#record = record;
  }

  qmp(traffic: QmpTraffic): void {
    this.#record({ kind: "qmp", ...traffic });
  }

  frame(to: "guest" | "host", type: number, stream: number, bytes: number): void {
    if (!BULK.has(type)) {
      this.#flush(stream);
      this.#record({ kind: "agent", to, frame: NAMES.get(type) ?? `${type}`, stream, bytes });
      return;
    }
    const ofStream = this.#bulk.get(stream) ?? new Map<string, Bulk>();
    this.#bulk.set(stream, ofStream);
    const key = `${to} ${type}`;
    const sum = ofStream.get(key) ?? { to, type, stream, frames: 0, bytes: 0 };
    ofStream.set(key, sum);
    sum.frames++;
    sum.bytes += bytes;
  }

  /** Tell what was not told yet: the boot is over. */
  end(): void {
    for (const stream of [...this.#bulk.keys()]) this.#flush(stream);
  }

  #flush(stream: number): void {
    for (const { to, type, frames, bytes } of this.#bulk.get(stream)?.values() ?? []) {
      const frame = NAMES.get(type) ?? `${type}`;
      this.#record({ kind: "agent", to, frame, stream, bytes, ...(frames === 1 ? {} : { frames }) });
    }
    this.#bulk.delete(stream);
  }
}
