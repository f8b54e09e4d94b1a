/** What of the engine's bundle evaluations load, in its folder `dist`. */
export interface BundleFiles {
  /** What the process runs. */
  readonly process: string;
  /** The parts of the engine as one script, see `child/engine-image.ts`. */
  readonly image: string;
  /** That script as compiled by the Node of this version: of another one it would be refused. */
  readonly imageCode: string;
  /** What takes the types away, of the version that this Node has itself. */
  readonly stripper: string;
  /** The engine's modules outside of the script without their types: JSON of code by the sha256 of its source. */
  readonly stripped: string;
}

/** @param engine The folder of the engine; `dist` lies in it. */
export function bundleFiles(engine: string): BundleFiles {
  const dist = `${engine}/dist`;
  return {
    process: `${dist}/evaluator.cjs`,
    image: `${dist}/engine-image.js`,
    imageCode: `${dist}/engine-image-${process.version}.code`,
    stripper: `${dist}/strip-types-${process.versions["amaro"]}.cjs`,
    stripped: `${dist}/stripped-modules-${process.versions["amaro"]}.json`,
  };
}
