import { resolve } from "node:path";
import { dumpTree } from "../../../../core/host/files/index.ts";
import type { CliContext } from "../../context.ts";
import { writeOutput } from "../../streams.ts";

export default async function dump(this: CliContext, _flags: unknown, path: string): Promise<void> {
  await writeOutput(this, dumpTree(resolve(this.cwd, path)));
}
