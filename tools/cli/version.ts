/** The version of Floe; `tools/checks/version.ts` keeps it equal to the one in tools/cli/package.json. */
export const VERSION = "0.1.0";
