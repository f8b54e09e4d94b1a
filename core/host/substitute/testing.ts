import { hashBytes, utf8 } from "../../base/index.ts";
import { dumpFileNar, type PathInfo, type StorePath } from "../../store/index.ts";

/** The archive of {@link SAMPLE_INFO}. */
export const SAMPLE_NAR = dumpFileNar(utf8("contents"));

/** An object that nobody signed and that is not addressed by its content. */
export const SAMPLE_INFO: PathInfo = {
  path: `/nix/store/${"0".repeat(32)}-x` as StorePath,
  narHash: hashBytes("sha256", SAMPLE_NAR),
  narSize: SAMPLE_NAR.length,
  references: [],
  signatures: [],
};
