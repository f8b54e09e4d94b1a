/** What the client of a worker protocol connection says first. */
export const WORKER_CLIENT_MAGIC = 0x6e697863;
export const WORKER_SERVER_MAGIC = 0x6478696f;

/** The version we speak, 1.38: major version in the upper byte. */
export const WORKER_VERSION = 0x126;

/** The oldest clients and servers that are spoken to: 1.18, as Nix itself has it. */
export const WORKER_OLDEST_MINOR = 18;

/** Whether the server takes the client's word: told from 1.35 on. */
export const WORKER_TRUST = { unknown: 0, trusted: 1, untrusted: 2 } as const;

/** How builds are meant. */
export const BUILD_MODE = { normal: 0, repair: 1, check: 2 } as const;

/** Operations of the worker protocol. */
export const WORKER_OPERATION = {
  isValidPath: 1,
  queryReferrers: 6,
  addToStore: 7,
  addTextToStore: 8,
  buildPaths: 9,
  ensurePath: 10,
  addTempRoot: 11,
  addIndirectRoot: 12,
  syncWithGc: 13,
  findRoots: 14,
  setOptions: 19,
  collectGarbage: 20,
  querySubstitutablePathInfo: 21,
  queryDerivationOutputs: 22,
  queryAllValidPaths: 23,
  queryPathInfo: 26,
  queryDerivationOutputNames: 28,
  queryPathFromHashPart: 29,
  querySubstitutablePathInfos: 30,
  queryValidPaths: 31,
  querySubstitutablePaths: 32,
  queryValidDerivers: 33,
  optimiseStore: 34,
  verifyStore: 35,
  buildDerivation: 36,
  addSignatures: 37,
  narFromPath: 38,
  addToStoreNar: 39,
  queryMissing: 40,
  queryDerivationOutputMap: 41,
  registerDrvOutput: 42,
  queryRealisation: 43,
  addMultipleToStore: 44,
  addBuildLog: 45,
  buildPathsWithResults: 46,
  addPermRoot: 47,
} as const;
