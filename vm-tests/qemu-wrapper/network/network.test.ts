import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { seededRandom } from "../random.ts";
import {
  Capture,
  encodeFrame,
  FrameSplitter,
  LONGEST_FRAME_BYTES,
  type LinkQuality,
  NetworkSwitch,
  type NetworkSwitchOptions,
  type SwitchPort,
} from "./index.ts";

const folder = mkdtempSync(join(tmpdir(), "floe-network-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const EVERYBODY = "ff:ff:ff:ff:ff:ff";
let networks = 0;

/** What QEMU is to a port: something that sends and receives frames. */
class Station {
  readonly received: Buffer[] = [];
  readonly address: string;
  readonly port: SwitchPort;
  readonly #socket: Socket;

  private constructor(port: SwitchPort, address: string, socket: Socket) {
    this.port = port;
    this.address = address;
    this.#socket = socket;
    const splitter = new FrameSplitter();
    socket.on("data", (data: Buffer) => this.received.push(...splitter.push(data).map((frame) => Buffer.from(frame))));
    socket.on("error", () => {});
  }

  static async connect(port: SwitchPort, number: number): Promise<Station> {
    const socket = createConnection(port.path);
    await new Promise((resolve) => socket.once("connect", resolve));
    return new Station(port, `02:00:00:00:00:${number.toString(16).padStart(2, "0")}`, socket);
  }

  send(to: string, text: string, from = this.address): void {
    this.#socket.write(encodeFrame(frameOf(to, from, text)));
  }

  sendBytes(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  get texts(): string[] {
    return this.received.map((frame) => frame.toString("latin1", 14));
  }

  get closed(): boolean {
    return this.#socket.destroyed;
  }

  end(): void {
    this.#socket.destroy();
  }
}

function frameOf(to: string, from: string, text: string): Buffer {
  const address = (written: string): Buffer => Buffer.from(written.replaceAll(":", ""), "hex");
  return Buffer.concat([address(to), address(from), Buffer.from([0x88, 0xb5]), Buffer.from(text)]);
}

async function until(what: () => boolean): Promise<void> {
  const end = performance.now() + 10_000;
  while (!what()) {
    if (performance.now() > end) throw new Error(`this did not come true: ${what}`);
    await sleep(2);
  }
}

/** A network with stations a, b, c, …, each known to the switch. */
async function withStations(
  count: number,
  body: (lan: NetworkSwitch, ...stations: Station[]) => Promise<void>,
  options: Partial<NetworkSwitchOptions> = {},
): Promise<void> {
  const lan = new NetworkSwitch({ name: `lan${networks++}`, folder, ...options });
  const stations: Station[] = [];
  try {
    for (let number = 0; number < count; number++) {
      stations.push(await Station.connect(await lan.openPort("abcdefgh".charAt(number)), number + 1));
    }
    await body(lan, ...stations);
  } finally {
    for (const station of stations) station.end();
    await lan.close();
  }
}

test("FrameSplitter and encodeFrame() agree, however the stream is cut", () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 300 })),
      fc.infiniteStream(fc.integer({ min: 1, max: 40 })),
      (frames, cuts) => {
        const stream = Buffer.concat(frames.map(encodeFrame));
        const splitter = new FrameSplitter();
        const found: Buffer[] = [];
        for (let at = 0; at < stream.length; ) {
          const next = at + (cuts.next().value as number);
          found.push(...splitter.push(stream.subarray(at, next)));
          at = next;
        }
        assert.equal(
          found.map((frame) => [...frame]),
          frames.map((frame) => [...frame]),
        );
      },
    ),
  );
});

test("FrameSplitter refuses a length that no frame has", () => {
  const header = Buffer.alloc(4);
  header.writeUInt32BE(LONGEST_FRAME_BYTES + 1);
  assert.throws(
    () => new FrameSplitter().push(header),
    (error: { code: string }) => error.code === "network.malformed",
  );
});

test("NetworkSwitch floods what it does not know, and learns where addresses are", async () => {
  await withStations(3, async (_lan, a, b, c) => {
    a.send(b.address, "first");
    await until(() => b.received.length === 1 && c.received.length === 1);
    b.send(a.address, "answer");
    await until(() => a.received.length === 1);
    a.send(b.address, "second");
    a.send(EVERYBODY, "all");
    await until(() => b.received.length === 3 && c.received.length === 2);
    assert.equal(a.texts, ["answer"]);
    assert.equal(b.texts, ["first", "second", "all"]);
    assert.equal(c.texts, ["first", "all"], "a frame for a known address goes nowhere else");
    assert.equal(a.port.counts, { sentFrames: 3, receivedFrames: 1, lostFrames: 0 });
  });
});

test("NetworkSwitch passes tagged frames on as they are", async () => {
  await withStations(2, async (_lan, a, b) => {
    const tagged = frameOf(EVERYBODY, a.address, "tagged");
    tagged.writeUInt16BE(0x8100, 12);
    a.sendBytes(encodeFrame(tagged));
    await until(() => b.received.length === 1);
    assert.equal(b.received[0], tagged);
  });
});

test("NetworkSwitch follows an address that moves", async () => {
  await withStations(3, async (_lan, a, b, c) => {
    b.send(EVERYBODY, "here");
    await until(() => a.received.length === 1 && c.received.length === 1);
    c.send(EVERYBODY, "now here", b.address);
    await until(() => a.received.length === 2 && b.received.length === 1);
    a.send(b.address, "for whom");
    await until(() => c.received.length === 2);
    assert.equal(b.texts, ["now here"]);
  });
});

test("NetworkSwitch forgets the oldest of too many addresses", async () => {
  await withStations(3, async (_lan, a, b, c) => {
    a.send(EVERYBODY, "here");
    for (let number = 0; number < 4096; number++) {
      const [high, low] = [number >> 8, number & 255].map((part) => part.toString(16).padStart(2, "0"));
      b.send(b.address, "-", `06:00:00:00:${high}:${low}`);
    }
    await until(() => a.received.length === 4096);
    c.send(a.address, "where are you");
    await until(() => b.texts.includes("where are you"));
  });
});

test("NetworkSwitch.partition() cuts groups apart until heal()", async () => {
  await withStations(3, async (lan, a, b, c) => {
    lan.partition([["a"], ["b"]]);
    a.send(EVERYBODY, "cut");
    await until(() => c.received.length === 1);
    a.send(b.address, "cut too");
    c.send(EVERYBODY, "from between");
    await until(() => a.received.length === 1 && b.received.length === 1);
    assert.equal(b.texts, ["from between"]);
    lan.heal();
    a.send(b.address, "again");
    await until(() => b.received.length === 2);
    const refused = (groups: string[][]): void =>
      assert.throws(
        () => lan.partition(groups),
        (error: { code: string }) => error.code === "network.no-port",
      );
    refused([["a"], ["nobody"]]);
    refused([["a"], ["a", "b"]]);
  });
});

test("SwitchPort.connected takes the cable out", async () => {
  await withStations(2, async (_lan, a, b) => {
    b.port.connected = false;
    a.send(EVERYBODY, "nobody hears");
    b.send(EVERYBODY, "nor this");
    await until(() => a.port.counts.sentFrames === 1 && b.port.counts.sentFrames === 1);
    b.port.connected = true;
    a.send(EVERYBODY, "heard");
    await until(() => b.received.length === 1);
    assert.equal(b.texts, ["heard"]);
    assert.equal(a.texts, []);
  });
});

test("SwitchPort.setQuality() delays in both directions, in order", async () => {
  await withStations(2, async (_lan, a, b) => {
    a.port.setQuality({ delayMs: 50 });
    const begin = performance.now();
    a.send(EVERYBODY, "one");
    a.send(EVERYBODY, "two");
    await until(() => b.received.length === 2);
    const there = performance.now() - begin;
    assert.equal(b.texts, ["one", "two"]);
    assert.ok(there >= 49, `${there} ms`);
    b.send(a.address, "back");
    await until(() => a.received.length === 1);
    const both = performance.now() - begin;
    assert.ok(both >= 98, `${both} ms`);
  });
});

test("SwitchPort.setQuality() loses and doubles about the share it is told, the same for the same seed", async () => {
  const sent = 4000;
  const run = async (quality: LinkQuality, seed: number): Promise<string[]> => {
    let texts: string[] = [];
    await withStations(
      2,
      async (_lan, a, b) => {
        a.port.setQuality(quality);
        for (let number = 0; number < sent; number++) a.send(EVERYBODY, `${number}`);
        await until(() => a.port.counts.sentFrames === sent);
        a.port.setQuality({});
        a.send(EVERYBODY, "end");
        await until(() => b.texts.at(-1) === "end");
        texts = b.texts;
      },
      { seed },
    );
    return texts;
  };
  const lossy = await run({ loss: 0.1 }, 7);
  assert.ok(Math.abs(1 - lossy.length / sent - 0.1) < 0.03, `${lossy.length} of ${sent} arrived`);
  assert.equal(await run({ loss: 0.1 }, 7), lossy);
  assert.not.equal(await run({ loss: 0.1 }, 8), lossy);
  const doubled = await run({ duplicate: 0.2 }, 7);
  assert.ok(Math.abs(doubled.length / sent - 1.2) < 0.03, `${doubled.length} of ${sent} arrived`);
});

test("SwitchPort.setQuality() lets frames overtake each other with jitter", async () => {
  await withStations(2, async (_lan, a, b) => {
    a.port.setQuality({ jitterMs: 40 });
    const texts = Array.from({ length: 50 }, (_, number) => `${number}`);
    for (const text of texts) a.send(EVERYBODY, text);
    await until(() => b.received.length === 50);
    assert.not.equal(b.texts, texts);
    assert.equal(b.texts.sort(), texts.sort());
  });
});

test("SwitchPort.setQuality() limits the speed, and loses what would wait too long", async () => {
  await withStations(2, async (_lan, a, b) => {
    a.port.setQuality({ bytesPerSecond: 100_000 });
    const begin = performance.now();
    for (let number = 0; number < 200; number++) a.send(EVERYBODY, "x".repeat(986));
    await until(() => b.port.counts.receivedFrames + a.port.counts.lostFrames === 200);
    const seconds = (performance.now() - begin) / 1000;
    const received = b.port.counts.receivedFrames;
    assert.ok(received >= 100 && received < 200, `${received} arrived`);
    assert.ok(seconds >= received / 100 - 0.05, `${received} kB in ${seconds} s`);
  });
});

test("SwitchPort.setQuality() refuses figures that mean nothing", async () => {
  await withStations(1, async (_lan, a) => {
    for (const quality of [
      { delayMs: -1 },
      { loss: 1.5 },
      { duplicate: NaN },
      { bytesPerSecond: 0 },
      { jitterMs: Infinity },
    ]) {
      assert.throws(
        () => a.port.setQuality(quality),
        (error: { code: string }) => error.code === "network.quality",
      );
    }
  });
});

test("SwitchPort gives a new connection the place of the old one, as after a reboot", async () => {
  await withStations(2, async (_lan, a, b) => {
    const next = await Station.connect(b.port, 2);
    await until(() => b.closed);
    a.send(EVERYBODY, "hello");
    await until(() => next.received.length === 1);
    assert.equal(b.texts, []);
    next.end();
  });
});

test("SwitchPort closes a machine's stream that can't be told apart, and the others go on", async () => {
  const faults: string[] = [];
  await withStations(
    3,
    async (_lan, a, b, c) => {
      a.sendBytes(Buffer.alloc(8, 0xff));
      await until(() => a.closed);
      assert.is(faults.length, 1);
      assert.match(faults[0] ?? "", /^port "a" of "lan\d+": Cannot read a network's stream/);
      b.send(EVERYBODY, "still here");
      await until(() => c.received.length === 1);
    },
    { onFault: (text) => faults.push(text) },
  );
});

test("SwitchPort drops what is too short to be a frame", async () => {
  await withStations(2, async (_lan, a, b) => {
    a.sendBytes(encodeFrame(Buffer.alloc(13, 0xff)));
    a.send(EVERYBODY, "whole");
    await until(() => b.received.length === 1);
    assert.equal(a.port.counts, { sentFrames: 2, receivedFrames: 0, lostFrames: 1 });
  });
});

test("NetworkSwitch.openPort() refuses a name that is taken and a folder that is not there", async () => {
  await withStations(1, async (lan) => {
    const code = (work: Promise<unknown>): Promise<string> =>
      work.then(
        () => "",
        (error) => error.code,
      );
    assert.is(await code(lan.openPort("a")), "network.port-taken");
    const nowhere = new NetworkSwitch({ name: "nowhere", folder: join(folder, "none") });
    assert.is(await code(nowhere.openPort("a")), "qemu.no-socket");
    assert.is(nowhere.ports.size, 0);
  });
});

test("NetworkSwitch writes down what was sent, also what got lost", async () => {
  const file = join(folder, "lan.pcap");
  const heard: string[] = [];
  await withStations(
    2,
    async (lan, a) => {
      const stop = lan.onFrame(({ frame }, port) =>
        heard.push(`${port}: ${Buffer.from(frame).toString("latin1", 14)}`),
      );
      a.port.setQuality({ loss: 1 });
      a.send(EVERYBODY, "lost");
      await until(() => a.port.counts.lostFrames === 1);
      stop();
      a.send(EVERYBODY, "unheard");
      await until(() => a.port.counts.lostFrames === 2);
    },
    { capture: { file } },
  );
  assert.equal(heard, ["a: lost"]);
  const bytes = readFileSync(file);
  assert.is(bytes.readUInt32LE(0), 0xa1b2c3d4);
  assert.is(bytes.readUInt32LE(20), 1);
  const nowSeconds = Date.now() / 1000;
  assert.ok(Math.abs(bytes.readUInt32LE(24) - nowSeconds) < 60);
  assert.is(bytes.readUInt32LE(32), 18);
  assert.is(bytes.toString("latin1", 40 + 14, 40 + 18), "lost");
  assert.is(bytes.length, 24 + (16 + 18) + (16 + 21));
});

test("Capture keeps the last frames of more than its file may hold", () => {
  const file = join(folder, "ring.pcap");
  const capture = new Capture({ file, limitBytes: 1000 });
  for (let number = 0; number < 100; number++) capture.write({ timeMs: number, frame: Buffer.alloc(84, number) });
  capture.close();
  assert.ok(existsSync(`${file}.old`));
  for (const each of [file, `${file}.old`]) assert.ok(statSync(each).size <= 1000);
  assert.is(readFileSync(file).at(-1), 99);
});

test("seededRandom() gives the same numbers for the same seed, evenly", () => {
  const [one, other] = [seededRandom(5), seededRandom(5)];
  const numbers = Array.from({ length: 10_000 }, () => one());
  assert.equal(
    numbers.map(() => other()),
    numbers,
  );
  assert.ok(numbers.every((number) => number >= 0 && number < 1));
  const mean = numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
  assert.ok(Math.abs(mean - 0.5) < 0.02, `${mean}`);
});

test.run();
