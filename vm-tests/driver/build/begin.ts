/**
 * Where Node begins in a build: with the file that is named first, and what is left of the words.
 *
 * The sources of a build have no types any more, and Node need not load what would take them out, nor let it look at each file. This one lies among
 * them under {@link BEGIN}, a name by which Node knows that.
 */
import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";

registerHooks({
  load: (url, context, next) =>
    /\.m?ts$/.test(url)
      ? { format: "module", source: readFileSync(new URL(url)), shortCircuit: true }
      : next(url, context),
});
const [entry = ""] = process.argv.splice(2, 1);
await import(entry);
