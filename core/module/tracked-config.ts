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
  return new Proxy(Object.create(null) as object, new TrackedGroup(group, read, root));
}

/** One for each group that a rule looks into. */
class TrackedGroup implements ProxyHandler<object> {
  readonly #group: GroupNode;
  readonly #read: ReadOption;
  readonly #root: GroupNode;
  readonly #groups = new Map<string, object>();

  constructor(group: GroupNode, read: ReadOption, root: GroupNode) {
    this.#group = group;
    this.#read = read;
    this.#root = root;
  }

  get(_target: object, name: string | symbol): unknown {
    return typeof name === "symbol" ? undefined : this.#member(name);
  }

  has(_target: object, name: string | symbol): boolean {
    return typeof name === "string" && this.#group.members.has(name);
  }

  ownKeys(): string[] {
    return [...this.#group.members.keys()];
  }

  getOwnPropertyDescriptor(_target: object, name: string | symbol): PropertyDescriptor | undefined {
    return typeof name === "string" && this.#group.members.has(name)
      ? { value: this.#member(name), enumerable: true, configurable: true, writable: false }
      : undefined;
  }

  set(_target: object, name: string | symbol): never {
    return refuseWrite(this.#group, name);
  }

  defineProperty(_target: object, name: string | symbol): never {
    return refuseWrite(this.#group, name);
  }

  deleteProperty(_target: object, name: string | symbol): never {
    return refuseWrite(this.#group, name);
  }

  #member(name: string): unknown {
    const group = this.#group;
    const own = group.members.get(name);
    if (own?.kind === "option") return this.#read(own);
    if (own === undefined && LANGUAGE_NAMES.has(name)) return undefined;
    const member = own ?? findFormer(this.#root, group, name);
    if (member === undefined && group.free !== undefined)
      return (this.#read(group.free) as Readonly<Record<string, unknown>>)[name];
    if (member === undefined) return unknownRead(group, name);
    if (member.kind === "option") return this.#read(member);
    const known = this.#groups.get(name);
    if (known !== undefined) return known;
    const made = makeTrackedConfig(member, this.#read, this.#root);
    this.#groups.set(name, made);
    return made;
  }
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
