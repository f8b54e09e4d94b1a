/** Commas separate the parts of a QEMU option, and are doubled inside a value. */
export function optionValue(text: string): string {
  return text.replaceAll(",", ",,");
}
