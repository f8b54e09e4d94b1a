import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeStore } from "../../store/store.contract.ts";
import { removeTree } from "../files/index.ts";
import { COMPRESSIONS_OF_NODE } from "./compression.ts";
import { FileTransport, HttpTransport, openBinaryCache } from "./index.ts";
import { serveDirectory } from "./testing.ts";

for (const compression of COMPRESSIONS_OF_NODE) {
  describeStore(`a cache in a directory, ${compression}`, async () => {
    const directory = mkdtempSync(join(tmpdir(), "floe-cache-"));
    const store = await openBinaryCache({ transport: new FileTransport(directory), compression }, { create: true });
    return {
      store,
      close() {
        store.close();
        removeTree(directory);
      },
    };
  });
}

describeStore("a cache of the web", async () => {
  const directory = mkdtempSync(join(tmpdir(), "floe-cache-"));
  const server = await serveDirectory(directory);
  const store = await openBinaryCache({ transport: new HttpTransport(new URL(server.url)) }, { create: true });
  return {
    store,
    async close() {
      store.close();
      await server.close();
      removeTree(directory);
    },
  };
});
