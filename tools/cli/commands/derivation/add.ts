import { CodedError, parseJson } from "../../../../core/base/index.ts";
import {
  completeOutputs,
  derivationPath,
  makeInputHashes,
  type ParsedShownDerivation,
  parseShownDerivations,
} from "../../../../core/derivation/index.ts";
import { closureOf, type StorePath } from "../../../../core/store/index.ts";
import type { CliContext } from "../../context.ts";
import { openStore } from "../../store.ts";
import { readText } from "../../streams.ts";
import type { AddFlags } from "./index.ts";

/** `floe derivation add`: write the derivations on stdin into the store, what they need first, and print their paths. */
export default async function add(this: CliContext, flags: AddFlags): Promise<void> {
  const parsed = parseShownDerivations(readJson(await readText(this, "-")));
  using store = openStore(flags);
  const inputs = makeInputHashes((path) => store.readDerivation(path));
  const added: StorePath[] = [];
  await store.batch(() => {
    for (const { path, derivation } of inOrder(parsed)) {
      const complete = completeOutputs(derivation, { inputs });
      const right = derivationPath(complete);
      if (path !== undefined && path !== right) {
        throw new CodedError(
          "store.wrong-path",
          `Cannot add the derivation "${path}": what it says belongs to "${right}"`,
        );
      }
      added.push(store.addDerivation(complete));
    }
  });
  if (flags.json) return this.printJson(added);
  for (const path of added) this.print(path);
}

function readJson(text: string): unknown {
  try {
    return parseJson(text);
  } catch (cause) {
    throw new CodedError(
      "derivation.bad-json",
      `Cannot read the derivation from JSON: ${(cause as Error).message.replace("Cannot read the JSON: ", "")}`,
      {
        cause,
        hint: "`floe derivation show` prints the form that is read.",
      },
    );
  }
}

function inOrder(parsed: readonly ParsedShownDerivation[]): ParsedShownDerivation[] {
  const named = new Map(parsed.flatMap((each) => (each.path === undefined ? [] : [[each.path, each] as const])));
  const order = closureOf(named.keys(), (path) =>
    [...(named.get(path)?.derivation.inputDerivations.keys() ?? [])].filter((input) => named.has(input)),
  );
  return [
    ...order.map((path) => named.get(path) as ParsedShownDerivation),
    ...parsed.filter(({ path }) => path === undefined),
  ];
}
