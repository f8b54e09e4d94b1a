const UNITS = "BKMGTP";

/** Read an amount of space, as `10G`, `500MiB` or a number of bytes; units are powers of 1024. `undefined` for anything else. */
export function tryParseSize(text: string): number | undefined {
  const [, digits, unit = "B"] = /^([0-9]+(?:\.[0-9]+)?)(?:([KMGTP])(?:i?B)?|B)?$/i.exec(text) ?? [];
  return digits === undefined ? undefined : Math.round(Number(digits) * 1024 ** UNITS.indexOf(unit.toUpperCase()));
}
