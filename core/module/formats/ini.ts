import { sortedText } from "../../base/index.ts";
import { isPlainObject, showKind } from "../value.ts";
import { type DataSet, type DataTypeOptions, type Scalar, dataType, isPlainScalar, storeText } from "./data-type.ts";
import { type SettingsFormat, Unsupported, makeFormat } from "./settings-format.ts";

/** A value of one key: absent when `null`, several when a list. */
export type KeyValue = Scalar | readonly Exclude<Scalar, null>[];
/** Keys of one section. */
export interface KeyValues {
  readonly [key: string]: KeyValue | undefined;
}
/** Sections by name. Keys that stand beside sections come before the first of them. */
export interface IniData {
  readonly [name: string]: KeyValue | KeyValues | undefined;
}

/** What dialects of INI differ in. */
export interface IniSettings {
  /** What stands between a key and its value. Default: ` = `. */
  readonly separator?: string;
  /**
   * What a list becomes: `repeat` says its key once for each element, any other text joins the elements. Default: lists
   * are refused, since most readers know none.
   */
  readonly lists?: "repeat" | (string & {});
  /** Words for `true` and `false`. Default: those. */
  readonly booleans?: readonly [yes: string, no: string];
}

const isAtom = (value: unknown) =>
  value === null || (isPlainScalar(value) && isOneLine(typeof value === "string" ? value : (storeText(value) ?? "")));

/** Readers strip white space around values and end them at the line's end. */
function isOneLine(text: string): boolean {
  return !/[\r\n\0]/.test(text) && text === text.trim();
}

/** Sections with keys, as many programs read them; a key whose value is `null` is left out. */
export function ini(settings: IniSettings = {}): SettingsFormat<IniData, IniData[string]> {
  const options: DataTypeOptions = {
    name: "text of one line, a number, true or false, or null, in sections",
    isScalar: (value, depth) => depth > 0 && isAtom(value),
    listsAt: (depth) => settings.lists !== undefined && depth > 0,
    setsAt: (depth) => depth < 2,
  };
  return makeFormat<IniData, IniData[string]>({
    name: "INI",
    whole: dataType(options),
    member: dataType(options, 1),
    format: (value) => {
      const names = namesOf(value, []);
      const isSection = (name: string) => isPlainObject(value[name]);
      const global = names
        .filter((name) => !isSection(name))
        .flatMap((key) => formatKey(key, value[key], [], settings));
      const sections = names.filter(isSection).map((name) => {
        if (!/^[^\]\r\n\0]+$/.test(name))
          throw new Unsupported([name], "a name of a section with a bracket or line break");
        const keys = value[name] as KeyValues;
        return [`[${name}]`, ...namesOf(keys, [name]).flatMap((key) => formatKey(key, keys[key], [name], settings))];
      });
      return [...(global.length === 0 ? [] : [global]), ...sections].map((lines) => `${lines.join("\n")}\n`).join("\n");
    },
  });
}

/** Keys without sections; a key whose value is `null` is left out. */
export function keyValue(settings: IniSettings = {}): SettingsFormat<KeyValues, KeyValue | undefined> {
  const options: DataTypeOptions = {
    name: "text of one line, a number, true or false, or null",
    isScalar: (value, depth) => depth > 0 && isAtom(value),
    listsAt: (depth) => settings.lists !== undefined && depth > 0,
    setsAt: (depth) => depth === 0,
  };
  return makeFormat<KeyValues, KeyValue | undefined>({
    name: "keys with values",
    whole: dataType(options),
    member: dataType(options, 1),
    format: (value) =>
      namesOf(value, [])
        .flatMap((key) => formatKey(key, value[key], [], { separator: "=", ...settings }))
        .map((line) => `${line}\n`)
        .join(""),
  });
}

function namesOf(value: DataSet | IniData, path: readonly string[]): string[] {
  if (!isPlainObject(value)) throw new Unsupported(path, showKind(value));
  return sortedText(Object.keys(value)).filter((name) => value[name] !== undefined && value[name] !== null);
}

function formatKey(key: string, value: unknown, path: readonly string[], settings: IniSettings): string[] {
  const at = [...path, key];
  const { separator = " = ", lists } = settings;
  if (!isOneLine(key) || key === "" || /^[[#;]/.test(key) || key.includes(separator.trim() || separator))
    throw new Unsupported(at, "a name that readers would not take for one");
  if (!Array.isArray(value)) return [`${key}${separator}${formatAtom(value, at, settings)}`];
  if (lists === undefined) throw new Unsupported(at, "a list");
  const atoms = value.map((item, index) => formatAtom(item, [...at, String(index)], settings));
  return lists === "repeat"
    ? atoms.map((atom) => `${key}${separator}${atom}`)
    : [`${key}${separator}${atoms.join(lists)}`];
}

function formatAtom(value: unknown, path: readonly string[], { booleans = ["true", "false"] }: IniSettings): string {
  if (value === null || isPlainObject(value) || Array.isArray(value) || !isAtom(value))
    throw new Unsupported(path, typeof value === "string" ? "text that does not stand on one line" : showKind(value));
  if (typeof value === "boolean") return booleans[value ? 0 : 1];
  return Object.is(value, -0) ? "0" : String(value);
}
