import { request } from "node:http";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import { CodedError } from "../../core/base/index.ts";
import type { HttpAnswer, HttpOptions } from "../machine.ts";
import type { GuestContext } from "./guest-context.ts";

/**
 * Ask a server over a connection that begins in the guest. Certificates are not checked: who answers is what a story looks at.
 *
 * @throws {CodedError} `http.bad-url`; `http.failed` with the reason; `agent.refused` when nothing can be connected to.
 */
export async function fetchThrough(context: GuestContext, text: string, options: HttpOptions): Promise<HttpAnswer> {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !["http:", "https:"].includes(url.protocol)) {
    throw new CodedError(
      "http.bad-url",
      `Cannot ask "${text}": expected an address that begins with http:// or https://`,
    );
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const port = Number(url.port || (url.protocol === "https:" ? 443 : 80));
  const connection = await context.limited(context.connect(host, port), `connect to "${url.host}"`);
  const stream =
    url.protocol === "https:"
      ? connectTls({ socket: connection, servername: host, rejectUnauthorized: false })
      : connection;
  try {
    return await context.limited(ask(url, stream, options), `ask "${text}"`);
  } finally {
    stream.destroy();
    connection.destroy();
  }
}

function ask(url: URL, stream: Duplex, { method = "GET", headers = {}, body }: HttpOptions): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const fail = (cause: Error): void =>
      reject(new CodedError("http.failed", `Cannot ask "${url.href}": ${cause.message}`, { cause }));
    const asking = request(
      {
        createConnection: () => stream,
        method,
        path: `${url.pathname}${url.search}`,
        headers: { host: url.host, connection: "close", ...headers },
      },
      async (response) => {
        try {
          const parts: Buffer[] = [];
          for await (const part of response) parts.push(part as Buffer);
          const found = Object.entries(response.headers).map(([name, value]) => [name, String(value)]);
          resolve({
            status: response.statusCode ?? 0,
            headers: Object.fromEntries(found),
            body: Buffer.concat(parts).toString(),
          });
        } catch (error) {
          fail(error as Error);
        }
      },
    );
    asking.on("error", fail);
    asking.end(body);
  });
}
