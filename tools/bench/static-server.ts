import { createReadStream, statSync } from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

/** `node static-server.ts DIRECTORY`: an ordinary web server for the files of a directory, on this machine alone. Prints its address. */
const [directory = "."] = process.argv.slice(2);
const server = http.createServer((request, response) => {
  const path = join(directory, decodeURIComponent(new URL(request.url ?? "/", "http://x").pathname));
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined || !stat.isFile()) {
    response.writeHead(404, { "content-length": 0 }).end();
    return;
  }
  response.writeHead(200, { "content-length": stat.size });
  if (request.method === "HEAD") response.end();
  else createReadStream(path, { highWaterMark: 256 * 1024 }).pipe(response);
});
server.listen(0, "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
