import { join } from "node:path";
import { ROOT } from "../checks/source-tree.ts";
import { runChild } from "./child.ts";
import { HOST, isCompiled } from "./platforms.ts";
import { type StageResult, single, stripColors, sum } from "./report.ts";
import { KEEP_ROOM } from "./room.ts";
import type { StageOptions } from "./stages.ts";

/** From an empty store the machines' packages are compiled first, which is most of the time. */
const TIMEOUT_SECONDS = 2 * 60 * 60;
/** How much of a failed story's output is shown; all of it lies in the folder that its last lines name. */
const SHOWN_LINES = 80;

/** One story on machines of one platform. */
interface Story {
  readonly name: string;
  readonly platform: string;
}

/** Run the flake's machine tests with the program itself, as its users do; each story is one test on each platform it declares. */
export async function runMachines(options: StageOptions): Promise<StageResult> {
  const listed = await floe(["vm-test", "list", "--json"], options);
  if (listed.code !== 0) return single("vm-test list", listed.output);
  const stories = readStories(listed.output);
  if (stories.length === 0) return single("vm-test list", `it lists no machine test:\n${listed.output}`);
  const { filter } = options;
  const chosen = stories.filter((story) => filter === undefined || showStory(story).includes(filter));
  const platforms = [...new Set(chosen.map(({ platform }) => platform))];
  const results: StageResult[] = [];
  for (const platform of platforms) {
    const queue = chosen.filter((story) => story.platform === platform);
    if (filter === undefined && platform !== HOST && !(await isCompiled(platform, options.signal))) {
      const words = `skipped: machines of ${platform}, whose packages take half an hour to compile and are not in the store`;
      process.stderr.write(`${words} (npm test -- --only vm --filter ${platform} does so)\n`);
      results.push({ passed: 0, failed: 0, skipped: queue.length, failures: [] });
      continue;
    }
    const runNext = async (): Promise<void> => {
      const next = queue.shift();
      if (next !== undefined && !options.signal.aborted) results.push(await runStory(next, options));
    };
    const runRest = async (): Promise<void> => {
      while (queue.length > 0 && !options.signal.aborted) await runNext();
    };
    // What all stories need is built for the first one. The others run two at a time: machines wait for clocks and disks, and a
    // story's deadlines count what its guests got of the processor.
    await runNext();
    await Promise.all([runRest(), runRest()]);
  }
  return sum(results);
}

/** The list is a JSON text among words for people. */
function readStories(output: string): Story[] {
  const [text = "[]"] = /^\[$.*?^\]$/ms.exec(output) ?? [];
  const rows = JSON.parse(text) as readonly { readonly name: string; readonly platforms: readonly string[] }[];
  return rows.flatMap(({ name, platforms }) => platforms.map((platform) => ({ name, platform })));
}

const showStory = ({ name, platform }: Story): string => `${name} on ${platform}`;

async function runStory(story: Story, options: StageOptions): Promise<StageResult> {
  const { name, platform } = story;
  // Builds can take long: what is happening must be seen. Continuous integration ends runs that stay silent.
  const child = await floe(
    ["vm-test", "run", name, "--platform", platform, ...KEEP_ROOM, ...(options.rerun ? ["--rerun"] : [])],
    options,
    withName(showStory(story)),
  );
  const output = stripColors(child.output).split("\n").slice(-SHOWN_LINES).join("\n");
  return single(`vm-test ${showStory(story)}`, child.code === 0 ? undefined : output);
}

/** Shows whole lines, each with whose it is. */
function withName(name: string): (text: string) => void {
  let begun = "";
  return (text) => {
    const lines = (begun + text).split("\n");
    begun = lines.pop() ?? "";
    for (const line of lines) process.stderr.write(`${name}: ${line}\n`);
  };
}

function floe(words: readonly string[], { signal }: StageOptions, onOutput?: (text: string) => void) {
  return runChild([join(ROOT, "tools/cli/floe"), ...words], {
    cwd: ROOT,
    timeoutSeconds: TIMEOUT_SECONDS,
    signal,
    ...(onOutput === undefined ? {} : { onOutput }),
  });
}
