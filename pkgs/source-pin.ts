/** One source archive, pinned by its hash. */
export interface SourcePin {
  /** Name of the source package in the archive. */
  readonly source: string;
  /** Suite of the archive to look for newer versions in. */
  readonly suite: string;
  /** Upstream's version, without what the archive adds for repacked sources. */
  readonly version: string;
  readonly url: string;
  /** SRI form. */
  readonly hash: string;
}
