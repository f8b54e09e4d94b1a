/** What an overlay file system joins. */
export interface OverlayMount {
  /** The uppermost first. */
  readonly lowerDirectories: readonly string[];
  /** Where its changes go; `undefined` for one that cannot be written. */
  readonly upperDirectory: string | undefined;
}

/**
 * The overlay that is mounted at a directory, the last one where several lie upon each other.
 *
 * @param mounts Content of `/proc/self/mounts`.
 *
 * Source: Linux, `Documentation/filesystems/overlayfs.rst`; proc(5) for the escapes.
 */
export function overlayAt(mounts: string, directory: string): OverlayMount | undefined {
  let found: OverlayMount | undefined;
  for (const line of mounts.split("\n")) {
    const [, place, type, options = ""] = line.split(" ");
    if (place === undefined || withoutEscapes(place) !== directory) continue;
    found = type === "overlay" ? readOptions(options) : undefined;
  }
  return found;
}

function readOptions(options: string): OverlayMount {
  const lowerDirectories: string[] = [];
  let upperDirectory: string | undefined;
  for (const option of options.split(",")) {
    const equals = option.indexOf("=");
    const [name, value] = [option.slice(0, equals), withoutEscapes(option.slice(equals + 1))];
    if (name === "lowerdir") lowerDirectories.push(...splitDirectories(value));
    else if (name === "lowerdir+") lowerDirectories.push(value);
    else if (name === "upperdir") upperDirectory = withoutBackslashes(value);
  }
  return { lowerDirectories, upperDirectory };
}

function splitDirectories(text: string): string[] {
  return (text.match(/(?:\\.|[^:\\])+/g) ?? []).map(withoutBackslashes);
}

function withoutBackslashes(text: string): string {
  return text.replace(/\\(.)/g, "$1");
}

/** The kernel writes blanks, commas and backslashes as octal numbers. */
function withoutEscapes(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
