import { mkdirSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { temporaryFolder } from "../git/testing.ts";
import { DebugChannel, type DebugStop, debugQuestion, type HowToGoOn, parseDebugMessage } from "./debug-channel.ts";
import { DEBUG_MARK } from "./debug-protocol.ts";
import { Places } from "./places.ts";

const folder = temporaryFolder();
mkdirSync(`${folder}/sub`);
writeFileSync(`${folder}/sub/a.ts`, "");
const places = new Places([{ path: "/@flake", hostPath: folder, name: "the flake" }]);
const PAUSED = `${DEBUG_MARK}${JSON.stringify({
  kind: "paused",
  reason: "error",
  text: "Error: at /@flake/sub/a.ts",
  frames: [{ name: "f", file: "/@flake/sub/a.ts", line: 1, column: 2 }],
})}\n`;

function open(stopped: (stop: DebugStop) => Promise<HowToGoOn>): {
  channel: DebugChannel;
  sent: string[];
  ended: unknown[];
} {
  const sent: string[] = [];
  const ended: unknown[] = [];
  const channel = new DebugChannel({
    debugger: { breaks: [], onWarn: false, stopped },
    places,
    send: (line) => void sent.push(line),
    quit: (error) => void ended.push(error),
  });
  return { channel, sent, ended };
}

test("DebugChannel takes messages out of what is written, however it is cut", async () => {
  const seen: DebugStop[] = [];
  const { channel, sent } = open(async (stop) => {
    seen.push(stop);
    return "over";
  });
  const all = Buffer.from(`greeting\n${PAUSED}é answer\n`);
  let rest = "";
  for (const byte of all) rest += channel.push(Buffer.from([byte])).toString("utf8");
  assert.is(rest, "greeting\né answer\n");
  await Promise.resolve();
  assert.equal(seen[0]?.frames, [{ name: "f", at: { file: `${folder}/sub/a.ts`, line: 1, column: 2 } }]);
  assert.is(seen[0]?.text, `Error: at ${folder}/sub/a.ts`);
  assert.equal(sent, ['{"do":"over"}\n']);
});

test("DebugChannel hands questions on and answers back", async () => {
  let told: unknown;
  const { channel, sent } = open(async (stop) => {
    told = [await stop.evaluate(0, "x"), await stop.scopes(0), await stop.breakAt(`${folder}/sub/a.ts`, 3)];
    assert.is(await stop.breakAt(`${folder}/none.ts`, 3), false);
    return "continue";
  });
  const answer = async (message: object): Promise<void> => {
    channel.push(Buffer.from(`${DEBUG_MARK}${JSON.stringify(message)}\n`));
    await new Promise(setImmediate);
  };
  channel.push(Buffer.from(PAUSED));
  await answer({ kind: "value", text: "1", failed: false });
  await answer({ kind: "scopes", scopes: [] });
  await answer({ kind: "done", holds: true });
  assert.equal(told, [{ kind: "value", text: "1", failed: false }, [], true]);
  assert.is(sent[2], '{"do":"break","file":"/@flake/sub/a.ts","line":3}\n');
  assert.is(sent[3], '{"do":"continue"}\n');
});

test("DebugChannel answers nothing once the evaluation is over, to who waits and to who asks later", async () => {
  let told: unknown;
  const { channel, sent } = open(async (stop) => {
    told = [await stop.scopes(0), await stop.evaluate(0, "x"), await stop.breakAt(`${folder}/sub/a.ts`, 3)];
    return "continue";
  });
  channel.push(Buffer.from(PAUSED));
  await new Promise(setImmediate);
  assert.is(sent.length, 1);
  channel.end();
  await new Promise(setImmediate);
  assert.equal(told, [[], { text: "", failed: true }, false]);
});

test("DebugChannel says how much it holds of a line without an end", () => {
  const { channel } = open(async () => "continue");
  for (let i = 1; i <= 3; i++) {
    assert.is(channel.push(Buffer.alloc(1000, "x")).length, 0);
    assert.is(channel.heldBytes, i * 1000);
  }
  assert.is(channel.push(Buffer.from("\nab")).length, 3001);
  assert.is(channel.heldBytes, 2);
});

test("evaluation.given-up: who quits, and what is no message, end the evaluation", async () => {
  const { channel, ended } = open(async () => "quit");
  channel.push(Buffer.from(PAUSED));
  await new Promise(setImmediate);
  channel.push(Buffer.from(`${DEBUG_MARK}{}\n`));
  assert.equal(
    ended.map((error) => (error as { code: string }).code),
    ["evaluation.given-up", "evaluation.malformed-answer"],
  );
});

test("parseDebugMessage() refuses what has another shape", () => {
  for (const json of ["", "1", '{"kind":"other"}', '{"kind":"value","text":1,"failed":false}'])
    assert.throws(
      () => parseDebugMessage(json),
      (error: { code?: string }) => error.code === "evaluation.malformed-answer",
    );
});

test("evaluation.no-such-line: debugQuestion() wants files of a source", () => {
  const ask = (file: string) =>
    debugQuestion({ breaks: [{ file, line: 1 }], onWarn: true, stopped: async () => "quit" }, places);
  assert.equal(ask(`${folder}/sub/a.ts`), { onWarn: true, breaks: [{ file: "/@flake/sub/a.ts", line: 1 }] });
  for (const file of [`${folder}/none.ts`, "/etc/passwd"])
    assert.throws(
      () => ask(file),
      (error: { code?: string }) => error.code === "evaluation.no-such-line",
    );
});

test.run();
