import type { Target } from "../target.ts";

/** What can be fuzzed, by name; each is loaded when it is asked for. */
export const TARGETS: Readonly<Record<string, () => Promise<Target>>> = {
  nar: async () => (await import("./nar.ts")).narTarget(),
  drv: async () => (await import("./drv.ts")).drvTarget,
  shown: async () => (await import("./drv.ts")).shownTarget,
  narinfo: async () => (await import("./store-texts.ts")).narInfoTarget,
  lock: async () => (await import("./locks.ts")).lockTarget,
  "nix-lock": async () => (await import("./locks.ts")).nixLockTarget,
  "nix-flake": async () => (await import("./locks.ts")).nixFlakeTarget,
  journal: async () => (await import("./journal.ts")).journalTarget,
  export: async () => (await import("./export.ts")).exportTarget,
  wire: async () => (await import("./wire.ts")).wireTarget,
  realisation: async () => (await import("./store-texts.ts")).realisationTarget,
  registration: async () => (await import("./store-texts.ts")).registrationTarget,
};
