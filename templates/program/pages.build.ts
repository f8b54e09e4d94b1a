import { defineProgram } from "#floe/program";
import { render } from "./render.ts";

interface Inputs {
  /** A folder of texts, each of which becomes a page. */
  readonly texts: string;
  readonly coreutils: string;
}

/** Runs in the sandbox of the build, with this file and those that it imports. */
export default defineProgram<Inputs>(async ({ inputs, out, list, read, run, write }) => {
  for (const { name } of list(inputs.texts)) {
    const sum = await run(`${inputs.coreutils}/bin/sha256sum`, [`${inputs.texts}/${name}`]);
    const page = render({
      title: name.replace(/\.txt$/, ""),
      text: read(`${inputs.texts}/${name}`),
      sum: sum.slice(0, 64),
    });
    write(`${out}/${name.replace(/\.txt$/, ".html")}`, page);
  }
});
