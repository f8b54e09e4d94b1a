import { resolve } from "node:path";
import { restoreNar } from "../../../../core/host/files/index.ts";
import type { CliContext } from "../../context.ts";
import { openInput } from "../../streams.ts";

export default async function restore(this: CliContext, _flags: unknown, path: string): Promise<void> {
  await restoreNar(openInput(this, "-"), resolve(this.cwd, path));
}
