import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import type { Nic } from "qemu-wrapper";

/** Whether all cards have cables to switches of ours, which can lead elsewhere in a copy. */
export function areCables(nics: readonly Nic[]): boolean {
  return nics.every(({ backend }) => backend.kind === "stream");
}

/** The cards with other cables, which lead nowhere: what a machine sends is lost. */
export async function looseCables(
  nics: readonly Nic[],
  folder: string,
): Promise<{ readonly nics: readonly Nic[]; close(): void }> {
  const servers: Server[] = [];
  const sockets = new Set<Socket>();
  const loose: Nic[] = [];
  const close = (): void => {
    for (const socket of sockets) socket.destroy();
    for (const server of servers) server.close();
  };
  try {
    for (const [index, nic] of nics.entries()) {
      const socket = join(folder, `cable-${index}.sock`);
      const server = createServer((connection) => {
        sockets.add(connection);
        connection.on("error", () => {}).resume();
      });
      servers.push(server);
      await new Promise<void>((resolve, reject) => server.once("error", reject).listen(socket, resolve));
      loose.push({ ...nic, backend: { kind: "stream", socket } });
    }
  } catch (error) {
    close();
    throw error;
  }
  return { nics: loose, close };
}
