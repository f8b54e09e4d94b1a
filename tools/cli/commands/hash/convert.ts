import { formatHash, parseHash } from "../../../../core/base/index.ts";
import type { CliContext } from "../../context.ts";
import { askedForm, type ConvertFlags, HASH_FORMS } from "./index.ts";

/** Print every hash in the form asked for, or in all of them. */
export default function convert(this: CliContext, flags: ConvertFlags, ...texts: string[]): void {
  const asked = askedForm(flags);
  const forms = asked === undefined ? HASH_FORMS : [asked];
  const rows = texts.map((text) => {
    const hash = parseHash(text, flags.type);
    return Object.fromEntries(forms.map((form) => [form, formatHash(hash, form)]));
  });
  if (flags.json) return this.printJson(rows);
  for (const row of rows) {
    for (const [form, value] of Object.entries(row)) {
      this.print(asked === undefined ? `${form.padEnd(13)} ${value}` : value);
    }
  }
}
