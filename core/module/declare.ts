import { CodedError, type SourceLocation, captureCaller } from "../base/index.ts";
import type { OptionGroup, ReadGroup, WriteGroup } from "./option-type.ts";

/** Options at a path of the configuration. */
export interface Declaration<out Group extends OptionGroup = OptionGroup> {
  readonly kind: "declaration";
  /** Where the group lies, such as `["services", "nginx"]`; empty for the root. */
  readonly path: readonly string[];
  readonly options: Group;
  readonly at: SourceLocation | undefined;
}

/** What reading a declaration's options gives. */
export type Read<Declared> = Declared extends Declaration<infer Group> ? ReadGroup<Group> : never;

/** What a definition of a declaration's options may say. */
export type Write<Declared> = Declared extends Declaration<infer Group> ? WriteGroup<Group> : never;

/**
 * Declare options below a path.
 *
 * @param path Names joined by dots, such as `services.nginx`; `""` for the root.
 * @param options Options and groups of options by name.
 * @throws {CodedError} `option.bad-path` when a part of the path is empty or not a plain name.
 */
export function declare<const Group extends OptionGroup>(path: string, options: Group): Declaration<Group> {
  const parts = path === "" ? [] : path.split(".");
  const place = captureCaller(declare);
  const bad = parts.find((part) => !/^(?!__proto__$)[A-Za-z_][\w-]*$/.test(part));
  if (bad !== undefined) {
    throw new CodedError(
      "option.bad-path",
      `Cannot declare options at "${path}": found the part "${bad}", expected names joined by dots`,
      { at: place() },
    );
  }
  return {
    kind: "declaration",
    path: parts,
    options,
    get at() {
      return place();
    },
  };
}
