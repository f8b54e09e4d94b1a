import { test } from "uvu";
import * as assert from "uvu/assert";
import { TrustedSettings } from "../../core/host/flake/trusted-settings.ts";
import { makeContext } from "./context.ts";
import { grantedSubstitution, grantedSummary } from "./granted-settings.ts";
import { type GrantOptions, grantSettings } from "./grant-settings.ts";
import { temporaryDirectory } from "./testing.ts";

const SETTINGS = { substituters: ["https://a.example"], commitLockFileSummary: "lock: Move" };

async function granted(
  trusted: TrustedSettings,
  answers: readonly (string | undefined)[],
  accept?: boolean,
): Promise<{ stores: readonly string[]; asked: number; said: string; summary: string | undefined }> {
  const said: string[] = [];
  const context = {
    ...makeContext(new AbortController().signal),
    process: {} as never,
    say: (line: string) => void said.push(line),
  };
  let asked = 0;
  const ask: GrantOptions["ask"] = async () => answers[asked++];
  await grantSettings(SETTINGS, { context, accept, ask, trusted });
  const { substituters: stores } = grantedSubstitution(context);
  return { stores, asked, said: said.join("\n"), summary: grantedSummary(context) };
}
const open = (): TrustedSettings => new TrustedSettings(`${temporaryDirectory()}/trusted.json`);

test("grantSettings() asks for what is as good as root, and for nothing else", async () => {
  const trusted = open();
  const yes = await granted(trusted, ["y"]);
  assert.equal([yes.stores, yes.asked, yes.summary], [["https://a.example"], 1, "lock: Move"]);
  assert.match(yes.said, 'substituters: ["https://a.example"]');
  for (const answer of ["n", "", "what", undefined]) {
    const no = await granted(trusted, [answer]);
    assert.equal([no.stores, no.asked, no.summary], [[], 1, "lock: Move"], `${answer}`);
  }
});

test("grantSettings() remembers always and never", async () => {
  const always = open();
  await granted(always, ["a"]);
  const again = await granted(always, []);
  assert.equal([again.stores, again.asked], [["https://a.example"], 0]);
  const never = open();
  assert.equal((await granted(never, ["v"])).stores, []);
  const still = await granted(never, []);
  assert.equal([still.stores, still.asked], [[], 0]);
  // A flag counts more than what was said once.
  assert.equal((await granted(never, [], true)).stores, ["https://a.example"]);
  assert.equal((await granted(always, [], false)).stores, []);
});

test("grantSettings() uses nothing of that, and says so, when nobody can be asked", async () => {
  const said: string[] = [];
  const context = {
    ...makeContext(new AbortController().signal),
    process: {} as never,
    say: (line: string) => void said.push(line),
  };
  const terminal = { ...context.terminal, interactive: false };
  await grantSettings(SETTINGS, { context: { ...context, terminal }, accept: undefined, trusted: open() });
  assert.equal(grantedSubstitution(context).substituters, []);
  assert.match(said.join("\n"), /^warning: the flake's substituters is not used: .*--accept-flake-config does$/);
});

test.run();
