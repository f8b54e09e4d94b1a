/** Writes single entries of trees with canonical metadata. Places are absolute; nothing may be there yet. */
export interface EntryWriter {
  directory(place: string | Buffer): void;
  /** When all its entries are there. */
  endDirectory(place: string | Buffer): void;
  symlink(place: string | Buffer, target: Buffer): void;
  /** Gives a descriptor for {@link write} and {@link endFile}. */
  file(place: string | Buffer, executable: boolean): number;
  write(fd: number, bytes: Uint8Array): void;
  /** The file is complete. The descriptor stays open. */
  endFile(fd: number): void;
}

/**
 * Files are created exclusively and directories made anew, so an entry can never land outside of the tree it belongs to,
 * whatever links that tree holds.
 *
 * The function goes to another thread as text, so it uses nothing but its arguments.
 */
export function makeEntryWriter(fs: typeof import("node:fs")): EntryWriter {
  const mtimeSeconds = 1;
  // The umask may take permissions away. Asking for it would change it for a moment, so the first file of each mode tells.
  const exact = new Map<number, boolean>();
  return {
    directory: (place) => fs.mkdirSync(place, 0o755),
    endDirectory(place) {
      fs.chmodSync(place, 0o555);
      fs.utimesSync(place, mtimeSeconds, mtimeSeconds);
    },
    symlink(place, target) {
      fs.symlinkSync(target, place);
      fs.lutimesSync(place, mtimeSeconds, mtimeSeconds);
    },
    file(place, executable) {
      const mode = executable ? 0o555 : 0o444;
      const fd = fs.openSync(place, "wx", mode);
      let given = exact.get(mode);
      if (given === undefined) {
        given = (fs.fstatSync(fd).mode & 0o7777) === mode;
        exact.set(mode, given);
      }
      if (!given) fs.fchmodSync(fd, mode);
      return fd;
    },
    write(fd, bytes) {
      for (let at = 0; at < bytes.length; ) at += fs.writeSync(fd, bytes, at);
    },
    endFile: (fd) => fs.futimesSync(fd, mtimeSeconds, mtimeSeconds),
  };
}
