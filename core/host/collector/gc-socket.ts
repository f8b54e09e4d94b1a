import { chmodSync, closeSync, mkdirSync, openSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";

/** The socket through which processes tell a running collection what they rely on. */
export interface GcSocket {
  close(): Promise<void>;
}

/** A path that nobody ends by a line break is no path of the store. */
const MAX_LINE_CHARACTERS = 4096;

/** Told of a path that a process relies on from now on; fulfilled when it is safe, or altogether gone. */
export type Protect = (path: string) => Promise<void> | undefined;

/**
 * Open the socket. For each line, a store path, `protect` is asked; then the client gets the byte `1`.
 *
 * Source: Nix, `LocalStore::addTempRoot` and `collectGarbage`.
 */
export async function openGcSocket(stateDirectory: string, protect: Protect): Promise<GcSocket> {
  const directory = join(stateDirectory, "gc-socket");
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  rmSync(join(directory, "socket"), { force: true });
  const clients = new Set<Socket>();
  const server = createServer((client) => {
    clients.add(client);
    serve(client, protect);
    client.on("close", () => clients.delete(client));
    // Somebody went away: it relies on nothing any more.
    client.on("error", () => client.destroy());
  });
  // The system takes socket names of 107 bytes; a directory's descriptor is a short name for a long one.
  const folder = openSync(directory, "r");
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(`/proc/self/fd/${folder}/socket`, resolve);
    });
    // Every user of a shared store may have roots.
    chmodSync(join(directory, "socket"), 0o666);
  } catch (error) {
    closeSync(folder);
    throw error;
  }
  return {
    async close() {
      for (const client of clients) client.destroy();
      await new Promise((resolve) => server.close(resolve));
      closeSync(folder);
      rmSync(join(directory, "socket"), { force: true });
    },
  };
}

function serve(client: Socket, protect: Protect): void {
  let rest = "";
  let answered = Promise.resolve();
  client.setEncoding("latin1").on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() as string;
    if (rest.length > MAX_LINE_CHARACTERS) client.destroy();
    const safe = lines.map(protect);
    // Answers come in the order of the questions.
    for (const one of safe) {
      answered = answered.then(() => one).then(() => void (client.writable && client.write("1")));
      // The collection failed: without an answer the client asks again.
      answered.catch(() => client.destroy());
    }
  });
}
