import { CodedError, compareText } from "../../core/base/index.ts";

/** What is known of a test without making its machines. */
export interface ListedTest {
  readonly name: string;
  readonly description: string;
  readonly platforms: readonly string[];
  readonly tags: readonly string[];
}

/** Which tests are meant; what is left out asks nothing of them. */
export interface TestFilters {
  /** Names in which `*` stands for any text and `?` for any character; a test has to fit one of them. */
  readonly names?: readonly string[];
  /** A test has to have one of them. */
  readonly tags?: readonly string[];
  readonly platform?: string | undefined;
}

/**
 * The tests that are meant, in the order they were in.
 *
 * @throws {CodedError} `vm-test.no-match` for a name that fits no test at all.
 */
export function chooseTests<Test extends ListedTest>(tests: readonly Test[], filters: TestFilters): Test[] {
  const { names = [], tags = [], platform } = filters;
  const fits = names.map((name) => [name, globPattern(name)] as const);
  const lost = fits.find(([, pattern]) => !tests.some((test) => pattern.test(test.name)));
  if (lost !== undefined) {
    const known = tests.map(({ name }) => name).sort(compareText);
    throw new CodedError("vm-test.no-match", `Cannot find the machine test "${lost[0]}": no name fits`, {
      hint: known.length === 0 ? "The flake has no vmTests." : `There are: ${known.join(", ")}`,
    });
  }
  return tests.filter(
    (test) =>
      (fits.length === 0 || fits.some(([, pattern]) => pattern.test(test.name))) &&
      (tags.length === 0 || test.tags.some((tag) => tags.includes(tag))) &&
      (platform === undefined || test.platforms.includes(platform)),
  );
}

/** Whether a name has characters that stand for others. */
export function isGlob(name: string): boolean {
  return /[*?]/.test(name);
}

/** A pattern for whole names, in which `*` stands for any text and `?` for any character. */
export function globPattern(glob: string): RegExp {
  const source = glob
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${source}$`, "su");
}
