/** What the client of a serve protocol connection says first. */
export const SERVE_CLIENT_MAGIC = 0x390c9deb;
export const SERVE_SERVER_MAGIC = 0x5452eecb;

/** The version we speak, 2.7: major version in the upper byte. */
export const SERVE_VERSION = 0x207;

/** Operations of the serve protocol. */
export const SERVE_OPERATION = {
  queryValidPaths: 1,
  queryPathInfos: 2,
  dumpStorePath: 3,
  importPaths: 4,
  exportPaths: 5,
  buildPaths: 6,
  queryClosure: 7,
  buildDerivation: 8,
  addToStoreNar: 9,
} as const;
