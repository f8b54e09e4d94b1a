import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { CodedError } from "../../../../core/base/index.ts";
import { generateSecretKey, writeSecretKey } from "../../../../core/host/signing/index.ts";
import { formatKey, publicKeyOf } from "../../../../core/store/index.ts";
import type { CliContext } from "../../context.ts";
import type { GenerateFlags } from "./index.ts";

/** Make a key. Printed without a line break at its end, as key files are. */
export default function generate(this: CliContext, flags: GenerateFlags, name: string): void {
  const key = generateSecretKey(name);
  if (flags.out === undefined) return void this.process.stdout.write(formatKey(key));
  const file = resolve(this.cwd, flags.out);
  if (existsSync(file)) {
    throw new CodedError("key.exists", `Cannot write the key "${file}": there is a file already`, {
      hint: "A key that is lost cannot be had again: move the file away if it really is of no use.",
    });
  }
  writeSecretKey(file, key);
  this.print(formatKey(publicKeyOf(key)));
}
