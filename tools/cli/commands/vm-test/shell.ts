import {
  checkHost,
  type GuestMachine,
  type Script,
  StoryControl,
  type StoryState,
  loadStory,
} from "../../../../vm-tests/driver/index.ts";
import type { CliContext } from "../../context.ts";
import { showError } from "../../errors.ts";
import { openStore } from "../../store.ts";
import type { RunFlags, ShellFlags } from "./index.ts";
import type { Attempt } from "./judge-attempt.ts";
import { makeReporter } from "./make-reporter.ts";
import { prepareAloud } from "./run.ts";
import type { PreparedTest } from "./prepare.ts";

/** `floe vm-test shell`: a test's machines at hand, and its story to go through. */
export default async function shell(this: CliContext, asked: ShellFlags, name: string): Promise<void> {
  // Whoever sits there decides how long it takes.
  const flags: RunFlags = { ...asked, timeout: 0, retry: 0, watch: false, json: false, rerun: false, direct: true };
  checkHost(flags.platform === "aarch64-linux" ? "aarch64" : "x86_64", this.env["PATH"]);
  using store = openStore(flags);
  const test = await prepareAloud(this, flags, store, name);
  const story = await loadStory(test.manifest, this.cwd);
  const { Console } = await import("./shell/console.ts");
  const { openRepl } = await import("./shell/repl.ts");
  const console = new Console();
  const control = new StoryControl({ breakAt: asked.breakAt ?? [], onChange: (state) => tell(state) });
  const tell = (state: StoryState): void => console.say(show(state, this));
  const reporter = makeReporter(this, flags, false, (text) => console.say(text));
  let begun = false;
  const script: Script = async (tools) => {
    begun = true;
    const machines = Object.fromEntries(
      Object.keys(test.manifest.machines).map((each) => [each, tools[each] as unknown as GuestMachine]),
    );
    const begin = (): void => control.begin(() => story.script(control.toolsFor(tools)));
    if (asked.breakAt !== undefined) begin();
    await openRepl({ console, control, machines, tools, begin, signal: this.signal });
  };
  let failure: Error | undefined;
  const onEnd = (_test: PreparedTest, { error }: Attempt): boolean => {
    failure = error;
    return false;
  };
  const { runDirect } = await import("./run-direct.ts");
  await runDirect([test], { context: this, store, flags, reporter, script, onEnd }).finally(() => {
    console.close();
    reporter.close();
  });
  this.signal.throwIfAborted();
  if (!begun && failure !== undefined) throw failure;
  if (control.state.kind === "failed") this.exitWith(1);
}

/** Where a story stands, for people. */
function show(state: StoryState, { cwd, terminal }: CliContext): string {
  switch (state.kind) {
    case "waiting":
      return "the story has not begun: .story begins it, .next goes to its first step";
    case "running":
      return "the story goes on";
    case "stopped":
      return `the story stands before "${state.at}": .next goes to the next step, .continue to the next stop`;
    case "passed":
      return "the story has come to a good end; its machines stay until .exit";
    case "failed":
      return `${showError(state.error, { cwd, color: terminal.color })}\nthe story has failed; its machines stay until .exit`;
  }
}
