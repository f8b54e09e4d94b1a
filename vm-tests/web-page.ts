import type { Machine } from "#floe/vm-test";

export interface PageRequest {
  /** Name or address of the server, as the guest sees it. Default: the guest itself. */
  readonly server?: string;
  /** Name of the virtual host. Default: localhost. */
  readonly host?: string;
  /** Default: `/`. */
  readonly path?: string;
  /** Default: 80. */
  readonly port?: number;
}

/** What a web server in the guest answers: its status line and the body. The guest's own bash asks, so no client is needed. */
export async function fetchPage(
  machine: Machine,
  request: PageRequest = {},
): Promise<{ status: string; body: string }> {
  const { server = "127.0.0.1", host = "localhost", path = "/", port = 80 } = request;
  const answer = await machine.succeed`
    exec 3<>/dev/tcp/${server}/${port}
    printf 'GET %s HTTP/1.0\r\nHost: %s\r\n\r\n' ${path} ${host} >&3
    cat <&3`;
  const [head = "", ...body] = answer.split("\r\n\r\n");
  return { status: head.split("\r\n")[0] ?? "", body: body.join("\r\n\r\n") };
}
