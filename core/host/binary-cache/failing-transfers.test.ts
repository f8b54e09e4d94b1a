import { createServer, type Server, type Socket } from "node:net";
import * as assert from "uvu/assert";
import { type CodedError, equalHashes } from "../../base/index.ts";
import { HttpTransport, openBinaryCache } from "./index.ts";
import { type Hook, serveDirectory } from "./testing.ts";
import {
  answering,
  archive,
  directory,
  HASTY,
  honest,
  NAR,
  NARINFO,
  narInfo,
  path,
  pull,
  QUICK,
  refuses,
  refusesSilence,
  openSuite,
} from "./testing-hostile.ts";

/** Caches that are down, slow, busy or break off: each ends in an error that callers can tell, and nothing comes in. */
const test = openSuite("caches that fail");

test("an honest cache serves", async (context) => {
  await pull(context);
  assert.ok(context.target.store.isValid(path));
  assert.ok(equalHashes(context.target.store.queryPathInfo(path)!.narHash, honest.narHash));
});

test("a cache that is down is told soon", async (context) => {
  await context.server.close();
  await refuses(context, "cache.unreachable");
});

test("a cache without a host is told soon", async () => {
  const transport = new HttpTransport(new URL("http://no-such-host.invalid"), QUICK);
  try {
    await openBinaryCache({ transport });
    assert.unreachable();
  } catch (error) {
    assert.is((error as CodedError).code, "cache.unreachable");
  }
});

test("an object that is not there, or must not be seen, is not there", async (context) => {
  for (const status of [403, 404, 410]) {
    answering(context.server, {
      [NARINFO]: (_, response) => {
        response.writeHead(status).end("no");
        return true;
      },
    });
    assert.is(await context.cache.queryPathInfo(path), undefined);
    await refuses(context, "store.not-valid");
  }
});

test("an archive that is not there is told", async (context) => {
  answering(context.server, { [NARINFO]: narInfo({ url: "nar/none.nar" }) });
  await refuses(context, "cache.file-missing");
});

test("a server that always fails is asked again, and then given up", async (context) => {
  answering(context.server, {
    [NARINFO]: (_, response) => {
      response.writeHead(500).end();
      return true;
    },
  });
  context.server.log.length = 0;
  await refuses(context, "cache.unreachable");
  assert.is(context.server.log.length, QUICK.lookupPolicy.attempts);
});

test("a server that refuses for good is asked once", async (context) => {
  answering(context.server, {
    [NARINFO]: (_, response) => {
      response.writeHead(401).end();
      return true;
    },
  });
  context.server.log.length = 0;
  await refuses(context, "cache.unreachable");
  assert.is(context.server.log.length, 1);
});

test("a server that is busy is left alone for as long as it asks", async (context) => {
  let asked = 0;
  let first = 0;
  answering(context.server, {
    [NARINFO]: (_, response) => {
      asked += 1;
      if (asked > 1) {
        assert.ok(performance.now() - first >= 990, "it waits a second");
        return false;
      }
      first = performance.now();
      response.writeHead(429, { "retry-after": "1" }).end();
      return true;
    },
  });
  await pull(context);
  assert.is(asked, 2);
});

test("a server that takes the question and says nothing is given up", async (context) => {
  answering(context.server, { [NARINFO]: () => true });
  await refusesSilence(context, (seconds) => `no answer within ${seconds} s`);
});

test("a server that answers a byte at a time is given up", async (context) => {
  answering(context.server, {
    [NARINFO]: (_, response) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write("S"), 50);
      response.on("close", () => clearInterval(timer));
      return true;
    },
  });
  await refusesSilence(context, () => "no whole answer within 1.5 s");
  answering(context.server, {
    [NAR]: (_, response) => {
      response.writeHead(200, { "content-length": archive.length });
      let at = 0;
      const timer = setInterval(() => response.write(archive.subarray(at, ++at)), 50);
      response.on("close", () => clearInterval(timer));
      return true;
    },
  });
  await refusesSilence(context, (seconds) => `no data for ${seconds} s`);
});

test("a transfer that stops is given up", async (context) => {
  answering(context.server, {
    [NAR]: (_, response) => {
      response.writeHead(200, { "content-length": archive.length });
      response.write(archive.subarray(0, 1000));
      return true;
    },
  });
  await refusesSilence(context, (seconds) => `no data for ${seconds} s`);
});

test("a transfer that breaks goes on where it ended", async (context) => {
  const ranges: (string | undefined)[] = [];
  let breaks = 5;
  context.server.hook = (request, response) => {
    if (request.url !== NAR) return false;
    ranges.push(request.headers.range);
    if (breaks-- <= 0) return false;
    const from = Number(/\d+/.exec(request.headers.range ?? "0")?.[0]);
    const whole = archive.subarray(from, from + 100_000);
    response.writeHead(from > 0 ? 206 : 200, {
      "content-length": archive.length - from,
      ...(from > 0 ? { "content-range": `bytes ${from}-${archive.length - 1}/${archive.length}` } : {}),
    });
    response.write(whole, () => response.destroy());
    return true;
  };
  await pull(context);
  assert.ok(context.target.store.isValid(path));
  assert.is(ranges.length, 6, "more breaks than attempts, but each brought something");
  assert.equal([ranges[0], ranges[1]], [undefined, "bytes=100000-"]);
});

test("a server without ranges sends again, and what is there already is skipped", async (context) => {
  let isFirst = true;
  answering(context.server, {
    [NAR]: (_, response) => {
      response.writeHead(200, { "content-length": archive.length });
      if (isFirst) response.write(archive.subarray(0, 200_000), () => response.destroy());
      else response.end(archive);
      isFirst = false;
      return true;
    },
  });
  await pull(context);
  assert.ok(context.target.store.isValid(path));
});

test("a file that changes while it is fetched is not put together", async (context) => {
  let count = 0;
  answering(context.server, {
    [NAR]: (_, response) => {
      response.writeHead(200, { "content-length": archive.length, etag: `"${count++}"` });
      response.write(archive.subarray(0, 200_000), () => response.destroy());
      return true;
    },
  });
  const error = await refuses(context, "cache.unreachable");
  assert.match(error.message, "changed while it was fetched");
});

test("a wrong part is not taken for the right one", async (context) => {
  let isFirst = true;
  answering(context.server, {
    [NAR]: (_, response) => {
      if (isFirst) response.writeHead(200, { "content-length": archive.length });
      else response.writeHead(206, { "content-range": `bytes 7-99/${archive.length}` });
      if (isFirst) response.write(archive.subarray(0, 1000), () => response.destroy());
      else response.end(archive.subarray(7, 100));
      isFirst = false;
      return true;
    },
  });
  const error = await refuses(context, "cache.unreachable");
  assert.match(error.message, "the wrong part");
});

test("redirections that do not end, or leave the web, are refused", async (context) => {
  const redirect =
    (location: string): Hook =>
    (_, response) => {
      response.writeHead(302, { location }).end();
      return true;
    };
  for (const location of [NARINFO, "file:///etc/passwd", "ftp://127.0.0.1/x", "http://", "data:text/plain,x"]) {
    answering(context.server, { [NARINFO]: redirect(location) });
    context.server.log.length = 0;
    await refuses(context, "cache.unreachable");
    assert.ok(context.server.log.length <= 11);
  }
  answering(context.server, { [NARINFO]: redirect("/moved"), "/moved": narInfo({}) });
  await pull(context);
});

test("passwords stay with their host, and out of errors", async (context) => {
  const other = await serveDirectory(directory);
  const seen: (string | undefined)[] = [];
  context.server.hook = (request, response) => {
    seen.push(request.headers.authorization);
    response.writeHead(302, { location: `${other.url}${request.url}` }).end();
    return true;
  };
  other.hook = (request) => {
    seen.push(request.headers.authorization);
    return false;
  };
  const url = new URL(context.server.url);
  Object.assign(url, { username: "user", password: "s%20cret" });
  const cache = await openBinaryCache({ transport: new HttpTransport(url, QUICK) });
  assert.equal(seen, [`Basic ${Buffer.from("user:s cret").toString("base64")}`, undefined]);
  await context.server.close();
  const error = await refuses({ ...context, cache }, "cache.unreachable");
  assert.not.match(`${error.message}${error.stack}`, "cret");
  cache.close();
  await other.close();
});

test("what is known of a host beforehand is told to that host alone", async (context) => {
  const seen: (string | undefined)[] = [];
  context.server.hook = (request) => {
    seen.push(request.headers.authorization);
    return false;
  };
  const access = {
    known: ({ origin }: URL) => (origin === context.server.url ? { username: "a", password: "b" } : undefined),
  };
  const cache = await openBinaryCache({
    transport: new HttpTransport(new URL(context.server.url), { ...QUICK, access }),
  });
  assert.equal(seen, [`Basic ${Buffer.from("a:b").toString("base64")}`]);
  // What stands in the address comes first.
  const url = Object.assign(new URL(context.server.url), { username: "c", password: "d" });
  const own = await openBinaryCache({ transport: new HttpTransport(url, { ...QUICK, access }) });
  assert.is(seen.at(-1), `Basic ${Buffer.from("c:d").toString("base64")}`);
  const elsewhere = { known: () => undefined };
  const nobody = new HttpTransport(new URL(context.server.url), { ...QUICK, access: elsewhere });
  const third = await openBinaryCache({ transport: nobody });
  assert.is(seen.at(-1), undefined);
  for (const each of [cache, own, third]) each.close();
});

/** What no web server library would send. */
async function rawServer(answer: (socket: Socket) => void): Promise<{ readonly url: string; close(): void }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("data", () => answer(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${port}`,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

test("what is no HTTP, headers without end, and headers byte by byte are refused", async () => {
  for (const answer of [
    (socket: Socket) => void socket.end("SSH-2.0-OpenSSH_9.2\r\n"),
    (socket: Socket) => void socket.end(),
    (socket: Socket) => void socket.end("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort"),
    (socket: Socket) => void socket.end("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"),
    (socket: Socket) => {
      socket.write("HTTP/1.1 200 OK\r\n");
      const more = (): void => {
        while (!socket.destroyed && socket.write(`x-flood: ${"y".repeat(1000)}\r\n`));
      };
      socket.on("drain", more);
      more();
    },
    (socket: Socket) => {
      socket.write("HTTP/1.1 200 OK\r\nx: ");
      const timer = setInterval(() => socket.write("y"), 100);
      socket.on("close", () => clearInterval(timer));
    },
  ]) {
    const server = await rawServer(answer);
    try {
      await openBinaryCache({ transport: new HttpTransport(new URL(server.url), HASTY) });
      assert.unreachable();
    } catch (error) {
      assert.is((error as CodedError).code, "cache.unreachable", String(error));
    } finally {
      server.close();
    }
  }
});

test("waiting for a cache can be called off", async (context) => {
  answering(context.server, { [NARINFO]: () => true });
  const controller = new AbortController();
  const transport = new HttpTransport(new URL(context.server.url), {
    signal: controller.signal,
    timeouts: { stallMs: 60_000 },
  });
  const cache = await openBinaryCache({ transport });
  const asked = cache.queryPathInfo(path);
  setTimeout(() => controller.abort(new Error("called off")), 50);
  try {
    await asked;
    assert.unreachable();
  } catch (error) {
    assert.is((error as Error).message, "called off");
  }
  cache.close();
});

test.run();
