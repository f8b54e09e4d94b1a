import type { CodedError } from "../../core/base/index.ts";
import type { CommandResult, HttpAnswer, HttpOptions, PathOptions } from "../machine.ts";
import { showCommand, showOutput } from "./commands.ts";
import { fetchThrough } from "./guest-http.ts";
import type { GuestContext } from "./guest-context.ts";

/** A port of the guest's own loopback is looked up among its sockets; elsewhere only a connection can tell. */
export async function waitForPort(context: GuestContext, port: number, name: string, gone: boolean): Promise<void> {
  const what = gone ? `wait for port ${port} to close` : `wait for port ${port}`;
  const { address } = await context.address(name, port);
  if (address.startsWith("127.") || address === "::1") {
    return context.watch(what, { kind: "tcp", port, address }, { gone });
  }
  await context.until(what, async () => {
    const refused = await context
      .limited(context.boot().agent.connect({ address, port }), `connect to ${address}:${port}`)
      .then(
        (connection) => void connection.destroy(),
        (error: CodedError) => error.message,
      );
    const open = refused === undefined;
    return open === gone ? { seen: refused ?? `${address}:${port} accepts connections` } : { value: undefined };
  });
}

export function waitForPath(context: GuestContext, path: string, { type, gone = false }: PathOptions): Promise<void> {
  const kind = type ?? "file";
  const what = gone ? `wait for the end of "${path}"` : `wait for the ${kind} "${path}"`;
  return context.watch(what, { kind: "path", path, ...(type === undefined ? {} : { type }) }, { gone });
}

export function waitForUrl(
  context: GuestContext,
  url: string,
  { status, ...options }: HttpOptions & { readonly status?: number },
): Promise<HttpAnswer> {
  const wanted = status === undefined ? "a success" : `status ${status}`;
  return context.until(`see ${wanted} of "${url}"`, async () => {
    const answer = await fetchThrough(context, url, options).catch((error: Error) => error.message);
    if (typeof answer === "string") return { seen: answer };
    const good = status === undefined ? answer.status >= 200 && answer.status < 300 : answer.status === status;
    return good ? { value: answer } : { seen: `status ${answer.status}` };
  });
}

/** Repeat a command until its result is a good one. */
export function untilResult(
  context: GuestContext,
  what: string,
  text: string,
  good: (result: CommandResult) => boolean,
): Promise<CommandResult> {
  return context.until(`see "${showCommand(text)}" ${what}`, async () => {
    const result = await context.run(text);
    if (good(result)) return { value: result };
    const lines = showOutput(result)
      .slice(-6)
      .map((line) => line.trim());
    return { seen: [`status ${result.status}`, ...lines].join("; ") };
  });
}
