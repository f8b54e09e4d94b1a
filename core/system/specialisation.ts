import { CodedError } from "../base/index.ts";
import { type Module, type Read, type Write, declare, defineModule, option } from "../module/index.ts";
import { VARIANT_NAME } from "./switch/index.ts";

const options = declare("", {
  specialisation: option.attrsOf(
    option.submodule({
      configuration: option.deferredModule({
        description: "What the variant says besides, or instead with `force(…)`.",
      }),
      inheritParent: option.bool({
        default: true,
        description: "Whether the variant begins with what the machine itself says, or with its modules alone.",
      }),
    }),
    {
      description:
        "Variants of the system, built together with it. Each has an entry in the boot menu, and `floe system switch --specialisation NAME` runs it without a reboot.",
      example: { quiet: { configuration: { services: { nginx: { enable: false } } } } },
    },
  ),
});

export interface RootOptions extends Read<typeof options> {}
export interface RootOptionsDefs extends Write<typeof options> {}

declare module "../module/index.ts" {
  interface Config extends RootOptions {}
  interface Defs extends RootOptionsDefs {}
}

/** Declares `specialisation`, which every system has. */
export const specialisationModule: Module = defineModule(options, ({ cfg, check }) => {
  for (const name of Object.keys(cfg.specialisation)) {
    check(
      VARIANT_NAME.test(name),
      `Cannot name a specialisation "${name}": expected letters, digits, dots, dashes and underscores`,
    );
  }
});

/** Run a part of the work for a variant: what goes wrong there says so. */
export function inVariant<Result>(name: string, run: () => Result): Result {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    const { code, message, at, hint, details } = error;
    throw new CodedError(code, `${message} (in specialisation "${name}")`, { at, hint, details, cause: error });
  }
}
