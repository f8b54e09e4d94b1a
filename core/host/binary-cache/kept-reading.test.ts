import { createHash, randomBytes } from "node:crypto";
import type { ServerResponse } from "node:http";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { HttpTransport } from "./http-transport.ts";
import { PieceQueue } from "./piece-queue.ts";
import { serveDirectory } from "./testing.ts";

const test = suite("reading to kept memory");
const directory = mkdtempSync(join(tmpdir(), "floe-kept-"));
const server = await serveDirectory(directory);
const contents = randomBytes(2_000_000);

/** Pieces of odd lengths, so that their ends and those of what is read at once meet in many ways. */
async function sendOddly(response: ServerResponse): Promise<void> {
  for (let at = 0, size = 1; at < contents.length; at += size, size = (size * 7 + 3) % 90_001) {
    if (!response.write(contents.subarray(at, at + size)))
      await new Promise((resolve) => response.once("drain", resolve));
    if (size % 5 === 0) await new Promise(setImmediate);
  }
  response.end();
}

const ways: Readonly<Record<string, (response: ServerResponse) => void>> = {
  "/sized": (response) => void response.writeHead(200, { "content-length": contents.length }).end(contents),
  "/chunked": (response) => void sendOddly(response.writeHead(200)),
  "/until-closed": (response) => void sendOddly(response.writeHead(200, { connection: "close" })),
};
server.hook = (request, response) => {
  const way = ways[request.url ?? ""];
  way?.(response);
  return way !== undefined;
};

for (const name of Object.keys(ways))
  for (const reuse of [true, false])
    test(`a long answer comes whole, however it is sent and taken (${name}, reuse ${reuse})`, async () => {
      const transport = new HttpTransport(new URL(server.url));
      try {
        // One connection after the other, and slow takers beside fast ones.
        for (const slow of [false, true, false]) {
          const both = await Promise.all([take(transport, slow), take(transport, !slow)]);
          for (const found of both) assert.ok(found.equals(contents));
        }
      } finally {
        transport.close();
      }
      async function take(from: HttpTransport, slow: boolean): Promise<Buffer> {
        const parts: Buffer[] = [];
        let count = 0;
        for await (const piece of from.stream(name, { reuse })) {
          if (slow && ++count % 7 === 0) await pause(3);
          // What holds until the next is asked for has to hold over a wait.
          parts.push(Buffer.from(piece));
        }
        return Buffer.concat(parts);
      }
    });

test("pieces that are kept stay as they are", async () => {
  const transport = new HttpTransport(new URL(server.url));
  const pieces: Uint8Array[] = [];
  for await (const piece of transport.stream("/sized")) pieces.push(piece);
  transport.close();
  const hash = createHash("sha256");
  for (const piece of pieces) hash.update(piece);
  assert.is(hash.digest("hex"), createHash("sha256").update(contents).digest("hex"));
});

test("PieceQueue.take() gives what was put, in order, and is empty in the end", () => {
  const queue = new PieceQueue();
  const sizes = [1, 100, 0, 262_143, 262_144, 700_000, 5];
  const given: Buffer[] = [];
  let put = 0;
  for (const size of sizes) {
    queue.put(contents.subarray(put, put + size));
    put += size;
    if (size !== 700_000) continue;
    const first = queue.take();
    if (first !== undefined) given.push(Buffer.from(first));
  }
  for (let piece = queue.take(); piece !== undefined; piece = queue.take()) given.push(Buffer.from(piece));
  assert.ok(Buffer.concat(given).equals(contents.subarray(0, put)));
  assert.is(queue.take(), undefined);
  queue.close();
});

test.after(async () => {
  await server.close();
  rmSync(directory, { recursive: true, force: true });
});
test.run();
