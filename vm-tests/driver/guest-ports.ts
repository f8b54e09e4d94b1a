import { createServer, type Socket } from "node:net";
import type { ForwardedPort } from "../machine.ts";
import type { GuestContext } from "./guest-context.ts";

/** Let a port of the host's loopback lead to one as the guest sees it. The kernel chooses the port, so that runs do not clash. */
export async function forwardPort(context: GuestContext, guestPort: number, address: string): Promise<ForwardedPort> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket)).on("error", () => {});
    context.connect(address, guestPort).then(
      (connection) => {
        socket.on("close", () => connection.destroy());
        connection.on("close", () => socket.destroySoon()).on("error", () => socket.destroy());
        socket.pipe(connection).pipe(socket);
      },
      // Nobody listens in the guest, which is what a client of the guest itself would be told at once.
      () => socket.resetAndDestroy(),
    );
  });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const close = async (): Promise<void> => {
    context.host.forget(close);
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  context.host.atEnd(close);
  return { host: "127.0.0.1", port, close };
}
