import { createInterface } from "node:readline";
import { FLAKE_SETTINGS, type FlakeSettings } from "../../core/flake/index.ts";
import { defaultTrustedSettings, TrustedSettings } from "../../core/host/flake/trusted-settings.ts";
import { readSettingsFiles } from "../../core/host/process/settings-files.ts";
import type { CliContext } from "./context.ts";
import { grant } from "./granted-settings.ts";
import { LineQueue } from "./line-queue.ts";
import { plainText } from "./text.ts";

export interface GrantOptions {
  readonly context: CliContext;
  /** `--accept-flake-config`: all of it, or none of what needs consent; the settings say when it is left out. */
  readonly accept: boolean | undefined;
  /** Where answers come from. Default the terminal, if there is one. */
  readonly ask?: ((question: string) => Promise<string | undefined>) | undefined;
  readonly trusted?: TrustedSettings;
}

/** Decide which settings of a flake count: some always, the others when the user says so, now, earlier or by a flag. */
export async function grantSettings(settings: FlakeSettings, options: GrantOptions): Promise<void> {
  const { context, trusted = new TrustedSettings(defaultTrustedSettings()) } = options;
  const { accept = acceptsAll(), ask = terminalOf(context) } = options;
  const allowed: [string, unknown][] = [];
  const refused: string[] = [];
  for (const [name, value] of Object.entries(settings)) {
    const { owner } = FLAKE_SETTINGS[name as keyof FlakeSettings];
    const isAllowed = owner === "flake" || (accept ?? trusted.find(name, value) ?? (await question(name, value)));
    if (isAllowed === true) allowed.push([name, value]);
    else if (isAllowed === undefined) refused.push(name);
  }
  grant(context, Object.fromEntries(allowed));
  if (refused.length > 0)
    context.say(
      `warning: the flake's ${refused.join(" and ")} ${refused.length > 1 ? "are" : "is"} not used: nobody was there to allow that; --accept-flake-config does`,
    );

  async function question(name: string, value: unknown): Promise<boolean | undefined> {
    if (ask === undefined) return undefined;
    context.say(`The flake wants the setting ${name}: ${plainText(JSON.stringify(value))}`);
    context.say("Who answers for these stores and keys can put any program on this machine.");
    const answer = (await ask("Use it? [y]es this time, [a]lways, [N]o, ne[v]er: "))?.trim().toLowerCase() ?? "";
    const isYes = ["y", "yes", "a", "always"].includes(answer);
    if (["a", "always", "v", "never"].includes(answer)) trusted.keep(name, value, isYes);
    return isYes;
  }
}

/** What the settings of the user and the machine say: `"acceptFlakeConfig": true`, or `false`. */
function acceptsAll(): boolean | undefined {
  for (const { text } of readSettingsFiles()) {
    try {
      const { acceptFlakeConfig } = JSON.parse(text) as { acceptFlakeConfig?: unknown };
      if (typeof acceptFlakeConfig === "boolean") return acceptFlakeConfig;
    } catch {
      // Those who need more of the file say what is wrong with it.
    }
  }
  return undefined;
}

function terminalOf(context: CliContext): GrantOptions["ask"] {
  if (!context.terminal.interactive || process.stdin.isTTY !== true) return undefined;
  return async (question) => {
    const reader = createInterface({ input: process.stdin, output: process.stderr });
    const close = (): void => reader.close();
    // Ctrl-C ends the command, and not only the question.
    reader.on("SIGINT", () => process.kill(process.pid, "SIGINT"));
    context.signal.addEventListener("abort", close, { once: true });
    try {
      const answer = await new LineQueue(reader).next(question);
      context.signal.throwIfAborted();
      return answer;
    } finally {
      context.signal.removeEventListener("abort", close);
      reader.close();
    }
  };
}
