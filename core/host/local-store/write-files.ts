import type { ExportedFile } from "../../store/index.ts";
import { removeTree, TreeWriter } from "../files/index.ts";
import type { ImportStreamContext } from "./import-stream.ts";

/** A file of a stream at its temporary place. */
export interface WrittenFile {
  readonly file: ExportedFile;
  readonly place: string;
  /** Wait until it is written. Files that were written together end together. */
  finish(): Promise<void>;
}

/**
 * Write objects of one file each to temporary places, all with one writer: what they lie in together is the store directory.
 *
 * @returns Those before the one that could not be written, of which nothing is left, and why it could not.
 */
export async function writeFiles(
  { realStoreDirectory, temporaryPlace }: Pick<ImportStreamContext, "realStoreDirectory" | "temporaryPlace">,
  files: readonly ExportedFile[],
): Promise<{ readonly written: WrittenFile[]; readonly failure?: { readonly error: unknown } }> {
  const writer = new TreeWriter(realStoreDirectory);
  const written: WrittenFile[] = [];
  let finished: Promise<void> | undefined;
  // The writer tells of a failure once, and each file has to know of it.
  const finish = (): Promise<void> => {
    finished ??= writer.finish();
    return finished;
  };
  for (const file of files) {
    const place = temporaryPlace();
    try {
      writer.file(place.slice(realStoreDirectory.length + 1), {
        executable: file.executable,
        size: file.contents.length,
      });
      writer.data(file.contents);
      writer.endFile();
    } catch (error) {
      // What was given before is written to its end; giving up would leave it out in silence.
      await finish().catch(() => {});
      await writer.abandon();
      removeTree(place);
      return { written, failure: { error } };
    }
    written.push({ file, place, finish });
  }
  await writer.busy();
  return { written };
}
