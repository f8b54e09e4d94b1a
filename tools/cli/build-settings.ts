import type { BuildSettings } from "../../core/build/index.ts";
import { readBuildSettings } from "../../core/host/builder/settings.ts";

/** What command lines may say about building. */
export interface BuildSettingsFlags {
  readonly sandbox?: boolean | undefined;
  readonly relaxedSandbox?: boolean | undefined;
  readonly allowNewPrivileges?: boolean | undefined;
  readonly impureDerivations?: boolean | undefined;
  readonly maxProcessMemory?: number | undefined;
  readonly maxMemory?: number | undefined;
  readonly memoryBudget?: number | undefined;
  readonly postBuildHook?: string | undefined;
  readonly asyncPostBuildHook?: boolean | undefined;
  readonly diffHook?: string | undefined;
}

/** The machine's settings, and what flags say instead. */
export function buildSettings(flags: BuildSettingsFlags): BuildSettings {
  const settings = readBuildSettings();
  return {
    sandbox: flags.relaxedSandbox === true ? "relaxed" : (flags.sandbox ?? settings.sandbox),
    allowNewPrivileges: flags.allowNewPrivileges ?? settings.allowNewPrivileges,
    impureDerivations: flags.impureDerivations ?? settings.impureDerivations,
    maxProcessMemoryBytes: flags.maxProcessMemory ?? settings.maxProcessMemoryBytes,
    maxMemoryBytes: flags.maxMemory ?? settings.maxMemoryBytes,
    memoryBudgetBytes: flags.memoryBudget ?? settings.memoryBudgetBytes,
    postBuildHook: flags.postBuildHook ?? settings.postBuildHook,
    asyncPostBuildHook: flags.asyncPostBuildHook ?? settings.asyncPostBuildHook,
    diffHook: flags.diffHook ?? settings.diffHook,
  };
}
