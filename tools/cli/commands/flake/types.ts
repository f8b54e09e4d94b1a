import type { FlakeTypes } from "../../../../core/host/types/index.ts";
import type { CliContext } from "../../context.ts";
import type { AskFlags } from "./index.ts";
import { type Opened, openForCommand } from "./open.ts";

/** `floe flake types`: what `tsc` and editors need. */
export default async function types(this: CliContext, flags: AskFlags, reference: string): Promise<void> {
  using opened = await openForCommand(this, { ...flags, flake: reference });
  const written = await writeTypes(this, opened);
  if (flags.json) return this.printJson(written);
  this.print(written.settings);
  if (written.project !== undefined) this.say(`Wrote ${written.project}`);
  this.say(
    written.inputs.length === 0
      ? "No input has options of its own."
      : `With the options of: ${written.inputs.join(", ")}`,
  );
}

/** Write the types of an open flake. */
export async function writeTypes({ signal }: CliContext, { flake, store }: Opened): Promise<FlakeTypes> {
  const { writeFlakeTypes } = await import("../../../../core/host/types/index.ts");
  const resolved = await flake.resolveInputs();
  return writeFlakeTypes({
    directory: flake.directory,
    resolved,
    hostPath: (path) => store.realPath(path as Parameters<typeof store.realPath>[0]),
    signal,
  });
}
