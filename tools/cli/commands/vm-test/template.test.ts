import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { HAS_QEMU } from "../../../../vm-tests/qemu-wrapper/testing.ts";
import { runFloe, temporaryDirectory } from "../../testing.ts";

const directory = temporaryDirectory();
const env = { XDG_CACHE_HOME: join(directory, "cache") };
const templates = join(env.XDG_CACHE_HOME, "floe/vm-templates");

function floe(...words: string[]) {
  return runFloe(["vm-test", ...words], { cwd: directory, env });
}

function keep(digit: string, machine: string, refused?: string): string {
  const key = digit.repeat(64);
  mkdirSync(join(templates, key), { recursive: true });
  const facts = { machine, architecture: "x86_64", accelerator: "tcg", ...(refused === undefined ? {} : { refused }) };
  writeFileSync(join(templates, key, "template.json"), JSON.stringify(facts));
  return key;
}

test("floe vm-test template list and remove look after kept machines", async () => {
  const none = await floe("template", "list");
  assert.is(none.stdout, "");
  assert.match(none.stderr, `no machines are kept in ${templates}`);
  const [a, b] = [keep("a", "web"), keep("b", "database", "its units did not settle")];
  const listed = await floe("template", "list");
  assert.match(listed.stdout, /^aaaaaaaaaaaa {2}web {2}x86_64 tcg {2}0 MB {2}used \d{4}-/m);
  assert.match(listed.stdout, /^bbbbbbbbbbbb {2}database .* boots each time: its units did not settle/m);
  const parsed = JSON.parse((await floe("template", "list", "--json")).stdout) as { key: string }[];
  assert.equal(parsed.map(({ key }) => key).sort(), [a, b]);

  const removed = await floe("template", "remove", "database");
  assert.match(removed.stdout, /^removed bbbbbbbbbbbb/);
  assert.ok(!readdirSync(templates).includes(b));
  for (const words of [["cc"], []]) {
    const lost = await floe("template", "remove", ...words);
    assert.is(lost.code, 1);
    assert.match(lost.stderr, "[vm-test.no-template]");
  }
  assert.match((await floe("template", "remove", "--all")).stdout, /^removed aaaaaaaaaaaa/);
  assert.equal(
    readdirSync(templates).filter((name) => name.length === 64),
    [],
  );
});

test("floe vm-test doctor without QEMU says so", async () => {
  const result = await runFloe(["vm-test", "doctor"], { cwd: directory, env: { ...env, PATH: directory } });
  assert.is(result.code, 1);
  assert.match(result.stdout, "x86_64: no machines, because there is no qemu-system-x86_64");
});

(HAS_QEMU ? test : test.skip)(
  "floe vm-test doctor tells how machines run, and remembers it until it is asked anew",
  async () => {
    const sources = async (...words: string[]): Promise<unknown> => {
      const { stdout } = await floe("doctor", "--json", ...words);
      const [first] = JSON.parse(stdout) as { accelerator: { source: string }; copies: { method: string } }[];
      assert.is(first?.copies.method, "shared-memory");
      return first?.accelerator.source;
    };
    // A host of another processor has nothing to find out.
    if (process.arch !== "x64") return;
    assert.equal([await sources(), await sources(), await sources("--reprobe")], ["probe", "cache", "probe"]);
    const said = (await floe("doctor")).stdout;
    assert.match(said, /^ {2}accelerator {2}\w+ \(known from before\): ./m);
    assert.match(said, /^ {2}forks {8}(yes|no): ./m);
  },
);

test.run();
