import { CodedError } from "../../../../core/base/index.ts";
import { NarParser } from "../../../../core/store/index.ts";
import type { CliContext } from "../../context.ts";
import type { CatFlags } from "./index.ts";
import { openArchive } from "./open-archive.ts";
import { writeChunk } from "../../streams.ts";

/** Write one file of an archive to stdout; the archive is read once and never held in memory. */
export default async function cat(this: CliContext, flags: CatFlags, archive: string, path: string): Promise<void> {
  const wanted = path
    .split("/")
    .filter((name) => name !== "" && name !== ".")
    .join("/");
  let found: "file" | "directory" | "symlink" | undefined;
  let inside = false;
  const pieces: Uint8Array[] = [];
  const note = (at: string, kind: NonNullable<typeof found>) => {
    inside = at === wanted && kind === "file";
    if (at === wanted) found = kind;
  };
  const parser = new NarParser({
    directory: (at) => note(at, "directory"),
    endDirectory: () => {},
    file: (at) => note(at, "file"),
    data: (chunk) => {
      if (inside) pieces.push(chunk.slice());
    },
    endFile: () => {
      inside = false;
    },
    symlink: (at) => note(at, "symlink"),
  });
  for await (const chunk of openArchive(this, flags, archive)) {
    parser.push(chunk);
    for (const piece of pieces.splice(0)) await writeChunk(this, piece);
  }
  parser.finish();
  if (found === "file") return;
  throw new CodedError(
    found === undefined ? "nar.no-such-path" : "nar.not-a-file",
    `Cannot show "${path}" of the archive: ${found === undefined ? "it is not there" : `it is a ${found}`}`,
  );
}
