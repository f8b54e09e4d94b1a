import { resolve } from "node:path";
import { walkNar } from "../../../../core/host/files/index.ts";
import type { CliContext } from "../../context.ts";
import { writeOutput } from "../../streams.ts";

export default async function dump(this: CliContext, _flags: unknown, path: string): Promise<void> {
  // A piece is written before the next one is asked for, so none has to be kept.
  await writeOutput(this, walkNar(resolve(this.cwd, path)));
}
