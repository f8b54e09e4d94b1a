import { CodedError } from "../base/index.ts";
import { type DeclaredInputs, isLockNode, type LockFile, type LockNode, rootOf } from "./lock-file.ts";
import { asKey, hintUnknown } from "./overrides.ts";

type Targets = Readonly<Record<string, string | readonly string[]>>;

/**
 * Check that inputs which a command names are there.
 *
 * @throws {CodedError} `flake.unknown-input`
 */
export function checkUpdated(
  verb: "update" | "replace",
  wanted: readonly (readonly string[])[],
  declared: DeclaredInputs,
  lock: LockFile,
): void {
  for (const path of wanted) {
    let targets: Targets = {
      ...Object.fromEntries(Object.keys(declared).map((name) => [name, ""])),
      ...rootOf(lock).inputs,
    };
    let at: LockNode | undefined;
    for (let done = 0; done < path.length; ) {
      const rest = path.slice(done);
      // What is replaced deep below goes by several names.
      const key = Object.keys(targets).find((each) => rest.join("/") === each || rest.join("/").startsWith(`${each}/`));
      if (key === undefined || (at === undefined && !Object.hasOwn(declared, key)))
        throw unknown(verb, path, rest[0] as string, at, targets);
      const target = targets[key];
      const node = typeof target === "string" ? lock.nodes[target] : undefined;
      at = isLockNode(node) ? node : undefined;
      targets = { ...at?.inputs, ...at?.overrides };
      done += key.split("/").length;
      if (at === undefined && done < path.length) throw unknown(verb, path, path[done] as string, undefined, {});
    }
  }
}

function unknown(
  verb: string,
  path: readonly string[],
  part: string,
  parent: LockNode | undefined,
  targets: Targets,
): CodedError {
  const known = Object.keys(targets);
  const hint =
    parent === undefined
      ? hintUnknown(part, known)
      : `What an input pins itself moves with it; to replace it, declare it in the inputs of that input: inputs: { ${asKey(part)}: … }`;
  return new CodedError(
    "flake.unknown-input",
    `Cannot ${verb} the input "${path.join("/")}": the ${parent === undefined ? "flake" : "lock"} has no input "${part}"`,
    { hint },
  );
}
