import { createServer, type Socket } from "node:net";
import { CodedError } from "../../core/base/index.ts";
import type { ForwardedPort } from "../machine.ts";
import type { GuestContext } from "./guest-context.ts";

/**
 * Let a port of the host's loopback lead to one as the guest sees it. The kernel chooses the port when it is 0, so that runs do not clash.
 *
 * @throws {CodedError} `machine.port-taken`
 */
export async function forwardPort(
  context: GuestContext,
  guestPort: number,
  address: string,
  hostPort: number,
): Promise<ForwardedPort> {
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
  await new Promise<void>((resolve, reject) => {
    const fail = (cause: NodeJS.ErrnoException): void =>
      reject(cause.code === "EADDRINUSE" ? taken(context.name, hostPort, cause) : cause);
    server.once("error", fail).listen(hostPort, "127.0.0.1", resolve);
  });
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

function taken(name: string, hostPort: number, cause: Error): CodedError {
  return new CodedError(
    "machine.port-taken",
    `Cannot forward port ${hostPort} of this host to "${name}": another program listens there`,
    { hint: "Leave the port out: one that is free is taken then.", cause },
  );
}
