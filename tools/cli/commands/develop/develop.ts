import type { CliContext } from "../../context.ts";
import { runInstallable } from "../run/run.ts";
import type { DevelopFlags } from "./index.ts";

/** `floe develop`: a shell, or a command, where the programs of an environment are. */
export default async function develop(this: CliContext, flags: DevelopFlags, ...words: string[]): Promise<void> {
  // With -c the first word may be the command already; an environment is a flake or begins like a folder.
  const isNamed = words[0] !== undefined && (!flags.command || /^[./~]|[#:]/.test(words[0]));
  const [text, command] = isNamed ? [words[0] as string, words.slice(1)] : [".", words];
  await runInstallable(this, { flags, text, words: command, kinds: ["devShells"], program: "bin/enter" });
}
