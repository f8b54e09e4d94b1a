import { CodedError, callerLocation } from "../base/index.ts";
import { type GroupNode, type OptionNode, findFormer } from "./option-tree.ts";
import { UnknownOptionRead, unknownOption } from "./unknown-option.ts";

/** Answers for the value of an option; may throw to stop the rule that asks. */
export type ReadOption = (option: OptionNode) => unknown;

/**
 * The configuration as rules see it: every read of an option goes through `read`.
 *
 * Symbols and the names that the language itself asks for (`then`, `toJSON`) are `undefined`, so that
 * printing or awaiting a group does not look like a misspelt option.
 */
export function makeTrackedConfig(group: GroupNode, read: ReadOption, root: GroupNode = group): object {
  const groups = new Map<string, object>();
  const memberOf = (name: string): unknown => {
    const own = group.members.get(name);
    if (own === undefined && LANGUAGE_NAMES.has(name)) return undefined;
    const member = own ?? findFormer(root, group, name);
    if (member === undefined && group.free !== undefined)
      return (read(group.free) as Readonly<Record<string, unknown>>)[name];
    if (member === undefined) return unknownRead(group, name);
    if (member.kind === "option") return read(member);
    const known = groups.get(name);
    if (known !== undefined) return known;
    const made = makeTrackedConfig(member, read, root);
    groups.set(name, made);
    return made;
  };
  return new Proxy(Object.create(null) as object, {
    get: (_target, name) => (typeof name === "symbol" ? undefined : memberOf(name)),
    has: (_target, name) => typeof name === "string" && group.members.has(name),
    ownKeys: () => [...group.members.keys()],
    getOwnPropertyDescriptor: (_target, name) =>
      typeof name === "string" && group.members.has(name)
        ? { value: memberOf(name), enumerable: true, configurable: true, writable: false }
        : undefined,
    set: (_target, name) => refuseWrite(group, name),
    defineProperty: (_target, name) => refuseWrite(group, name),
    deleteProperty: (_target, name) => refuseWrite(group, name),
  });
}

const LANGUAGE_NAMES = new Set(["then", "toJSON", "constructor", "toString", "valueOf", "outPath"]);

function unknownRead(group: GroupNode, name: string): never {
  const unknown = unknownOption(group.path, name, [...group.members.keys()], undefined, "read");
  throw new UnknownOptionRead(unknown, callerLocation());
}

function refuseWrite(group: GroupNode, name: string | symbol): never {
  throw new CodedError(
    "option.assigned",
    `Cannot assign "${String(name)}" of "${group.path}": found an assignment to the configuration, expected define({ … })`,
    {
      at: callerLocation(),
      hint: `Write: define({ ${[...group.path.split("."), String(name)].join(": { ")}: …${" }".repeat(group.path.split(".").length)} });`,
    },
  );
}
