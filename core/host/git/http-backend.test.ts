import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { deflateSync } from "node:zlib";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { describeGitBackend } from "./backend.contract.ts";
import { makeHttpBackend } from "./http-backend.ts";
import { serveRepositories, temporaryFolder } from "./testing.ts";

const httpBackend = makeHttpBackend();

describeGitBackend("httpBackend", httpBackend, serveRepositories);

test("httpBackend names address and cause when the server is down, without the password", async () => {
  const server = await serveRepositories(temporaryFolder());
  await server.close();
  const url = server.url.replace("http://", "http://user:secret@");
  try {
    await httpBackend.listRefs(`${url}repo`);
    assert.unreachable();
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    assert.is(code, "git.unreachable");
    assert.match(message, server.url.replace("http://", "http://***@"));
    assert.match(message, "ECONNREFUSED");
    assert.not.match(message, "secret");
  }
});

/** A server of git's first answers that never ends. */
async function serveWithoutEnd(
  send: (response: ServerResponse, url: string) => void,
  run: (url: string) => Promise<void>,
): Promise<void> {
  const server = createServer((request, response) => {
    request.resume();
    send(response, request.url ?? "");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await run(`http://127.0.0.1:${(server.address() as AddressInfo).port}/repo`);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

function flood(response: ServerResponse, piece: Buffer): void {
  const more = (): void => {
    while (!response.destroyed && response.write(piece));
    if (!response.destroyed) response.once("drain", more);
  };
  more();
}

const line = (text: string): string => (text.length + 4).toString(16).padStart(4, "0") + text;
const oid = "1".repeat(40);
const errorOf = (run: Promise<unknown>): Promise<{ code: string; message: string }> =>
  run.then(
    () => assert.unreachable("expected an error") as never,
    (error) => error,
  );

test("httpBackend takes no list of refs without end", async () => {
  const refs = Buffer.from(line(`${oid} refs/heads/many\n`).repeat(1000));
  const send = (response: ServerResponse, url: string): void => {
    response.setHeader(
      "content-type",
      url.includes("info/refs")
        ? "application/x-git-upload-pack-advertisement"
        : "application/x-git-upload-pack-result",
    );
    if (url.includes("info/refs"))
      response.end(`${line("# service=git-upload-pack\n")}0000${line("version 2\n")}${line("ls-refs\n")}0000`);
    else flood(response, refs);
  };
  await serveWithoutEnd(send, async (url) => {
    const error = await errorOf(makeHttpBackend(undefined, { refsBytes: 1_000_000 }).listRefs(url));
    assert.is(error.code, "git.too-large");
    assert.match(error.message, `"${url}": it sends more than 1000000 bytes`);
  });
  // Already the first answer is one of the git protocol, and has no end.
  const first = (response: ServerResponse): void => {
    response.setHeader("content-type", "application/x-git-upload-pack-advertisement");
    response.write(`${line("# service=git-upload-pack\n")}0000${line(`${oid} HEAD\0ofs-delta\n`)}`);
    flood(response, refs);
  };
  await serveWithoutEnd(first, async (url) => {
    assert.is(
      (await errorOf(makeHttpBackend(undefined, { refsBytes: 1_000_000 }).listRefs(url))).code,
      "git.too-large",
    );
  });
});

/** What a server says before it sends a pack. */
function advertise(response: ServerResponse): void {
  response.setHeader("content-type", "application/x-git-upload-pack-advertisement");
  const capabilities = "\0side-band-64k shallow allow-reachable-sha1-in-want ofs-delta agent=git/2";
  const refs = `${line(`${oid} HEAD${capabilities}\n`)}${line(`${oid} refs/heads/main\n`)}0000`;
  response.end(`${line("# service=git-upload-pack\n")}0000${refs}`);
}

function startPack(response: ServerResponse): void {
  response.setHeader("content-type", "application/x-git-upload-pack-result");
  response.write(`${line(`shallow ${oid}`)}0000${line("NAK\n")}`);
}

test("httpBackend unfolds no pack that says it is too large, nor one that lies", async () => {
  // A file of 2^42 bytes, and one of three that has a million.
  const large = [0xb0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10];
  const lies = [0x33];
  for (const [object, code] of [
    [large, "git.too-large"],
    [lies, "git.malformed-pack"],
  ] as const) {
    const header = Buffer.from([...Buffer.from("PACK"), 0, 0, 0, 2, 0, 0, 0, 1, ...object]);
    const pack = Buffer.concat([header, deflateSync(new Uint8Array(1_000_000)), Buffer.alloc(20)]);
    const send = (response: ServerResponse, url: string): void => {
      if (url.includes("info/refs")) return advertise(response);
      startPack(response);
      response.end(Buffer.from(`${line(`\u0001${pack.toString("latin1")}`)}0000`, "latin1"));
    };
    await serveWithoutEnd(send, async (url) => {
      const destination = `${temporaryFolder()}/tree`;
      const error = await errorOf(httpBackend.fetchTree({ url, rev: oid, ref: "refs/heads/main", destination }));
      assert.is(error.code, code);
    });
  }
});

test("httpBackend takes no commit without end, and waits for none that stands still", async () => {
  const destination = `${temporaryFolder()}/tree`;
  const pack = Buffer.from(line(`\u0001${"x".repeat(60_000)}`), "latin1");
  const endless = (response: ServerResponse, url: string): void => {
    if (url.includes("info/refs")) return advertise(response);
    startPack(response);
    flood(response, pack);
  };
  await serveWithoutEnd(endless, async (url) => {
    const error = await errorOf(
      makeHttpBackend(undefined, { commitBytes: 5_000_000 }).fetchTree({ url, rev: oid, destination }),
    );
    assert.is(error.code, "git.too-large");
    assert.match(error.message, "it sends more than 5000000 bytes");
  });
  const standing = (response: ServerResponse, url: string): void => {
    if (url.includes("info/refs")) return advertise(response);
    startPack(response);
    response.write(pack);
  };
  await serveWithoutEnd(standing, async (url) => {
    // Where the host is so slow that the pack does not begin in time, it has more of it.
    for (let stallMs = 300; ; stallMs *= 4) {
      const backend = makeHttpBackend(undefined, { stallMs });
      const error = await errorOf(backend.fetchTree({ url, rev: oid, destination }));
      assert.is(error.code, "git.unreachable");
      if (stallMs < 20_000 && error.message.includes("no answer within")) continue;
      return assert.match(error.message, `it sent nothing for ${stallMs / 1000} seconds`);
    }
  });
});

test.run();
