import type { Hash } from "../base/index.ts";
import type { StorePath } from "./store-path.ts";

/** What is recorded about one valid store object. */
export interface PathInfo {
  readonly path: StorePath;
  /** sha256 of the NAR. */
  readonly narHash: Hash;
  /** Size of the NAR in bytes. */
  readonly narSize: number;
  /** Objects whose digest occurs in this one, itself included when it does; sorted by path. */
  readonly references: readonly StorePath[];
  /** The derivation it was built from; that file need not be valid. */
  readonly deriver?: StorePath | undefined;
  /** Unix seconds. */
  readonly registrationTime?: number | undefined;
  /** Built here, hence trusted. Default false. */
  readonly ultimate?: boolean | undefined;
  /** `<key name>:<base64>`. */
  readonly signatures: readonly string[];
  /** A content address in text form; absent for input-addressed objects. */
  readonly ca?: string | undefined;
}

/** What one store tells another: neither when it was registered nor that it was built there. */
export function factsToTell({ path, narHash, narSize, references, deriver, signatures, ca }: PathInfo): PathInfo {
  return {
    path,
    narHash,
    narSize,
    references,
    signatures,
    ...(deriver === undefined ? {} : { deriver }),
    ...(ca === undefined ? {} : { ca }),
  };
}
