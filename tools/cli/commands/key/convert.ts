import { resolve } from "node:path";
import { text } from "node:stream/consumers";
import { readSecretKey } from "../../../../core/host/signing/index.ts";
import { formatKey, parseSecretKey, publicKeyOf } from "../../../../core/store/index.ts";
import type { CliContext } from "../../context.ts";

/** Print the public half of a secret key. Printed without a line break at its end, as key files are. */
export default async function convert(this: CliContext, _flags: unknown, file?: string): Promise<void> {
  const key = file === undefined ? parseSecretKey(await text(process.stdin)) : readSecretKey(resolve(this.cwd, file));
  this.process.stdout.write(formatKey(publicKeyOf(key)));
}
