/**
 * `#floe/vm-test` as a story's file finds it when the story is run. Its machines were made by an evaluation then, which found `index.ts`; what
 * is left to take from the file is a function and what else is no data, and neither packages nor modules are loaded for that.
 */
import type { VmTest, VmTestOptions } from "./vm-test.ts";

export type * from "./machine.ts";
export type * from "./manifest.ts";
export type { MachineSpecification, VmTest, VmTestOptions } from "./vm-test.ts";

export function vmTest<const Names extends string, const Networks extends string = never>(
  options: VmTestOptions<Names, Networks>,
): Pick<VmTest, "name" | "script" | "allowConsole"> {
  const { name, script, allowConsole = [] } = options;
  return { name, script, allowConsole };
}
