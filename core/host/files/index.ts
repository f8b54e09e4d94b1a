export { canonicalise, CANONICAL_MTIME_SECONDS, isExecutable, metadataFault } from "./canonicalise.ts";
export { FileJoiner, type JoinedFiles } from "./file-joiner.ts";
export { type Mention, mentionsIn } from "./mentions.ts";
export { hostPath, readNames, readTarget } from "./host-path.ts";
export {
  beginRestoreNar,
  copyTreeCanonical,
  type CopyTreeOptions,
  type RestoredTree,
  restoreNar,
  type UnfinishedTree,
} from "./restore.ts";
export { makeScratch, makeScratchIn, type ScratchBeside, sweepScratch } from "./scratch.ts";
export { TreeWriter } from "./tree-writer.ts";
export { rewriteTree } from "./rewrite-tree.ts";
export {
  dumpTree,
  hashGit,
  hashTree,
  readTree,
  type ScannedTree,
  scanTree,
  type ScanTreeOptions,
  scanTreeSync,
} from "./scan-tree.ts";
export { filterFromFiles, makeSourceHost } from "./source-host.ts";
export { walkNar, type WalkOptions } from "./walk.ts";
export {
  removeTree,
  symlinkAtomic,
  temporaryName,
  writeFileAtomic,
  type WriteFileAtomicOptions,
} from "./write.ts";
export { syncFilesystem, syncFilesystemLater, syncPath, syncPathLater, syncTrees, syncTreesLater } from "./sync.ts";
