import { test } from "uvu";
import * as assert from "uvu/assert";
import type { CodedError } from "../../base/index.ts";
import { publicKeyOf, type Realisation, signPathInfo, signRealisation, type StorePath } from "../../store/index.ts";
import { ed25519, generateSecretKey } from "../signing/index.ts";
import { checkAnswer, checkRealisation } from "./check-answer.ts";
import { SAMPLE_INFO as info } from "./testing.ts";

const [ours, foreign] = [generateSecretKey("ours-1"), generateSecretKey("foreign-1")];
const believed = [publicKeyOf(ours)];
const realisation: Realisation = {
  id: `sha256:${"a".repeat(64)}!out`,
  outPath: info.path,
  signatures: [],
  dependentRealisations: new Map(),
};

const hasCode =
  (code: string) =>
  (error: CodedError): boolean =>
    error.code === code;

test("checkAnswer() refuses an answer about another path, whoever signed it", () => {
  const signed = { ...info, signatures: [signPathInfo(info, ours, ed25519)] };
  checkAnswer(signed, info.path, believed);
  const other = `/nix/store/${"1".repeat(32)}-x` as StorePath;
  for (const whom of [believed, "all"] as const)
    assert.throws(() => checkAnswer(signed, other, whom), hasCode("substitute.wrong-path"));
});

test("checkAnswer() wants a signature that counts, where one is needed", () => {
  const signed = { ...info, signatures: [signPathInfo(info, foreign, ed25519)] };
  for (const each of [info, signed])
    assert.throws(() => checkAnswer(each, info.path, believed), hasCode("signature.untrusted"));
  checkAnswer(info, info.path, "all");
});

test("checkRealisation() refuses what it was not asked for, and what nobody who counts has signed", () => {
  const by = (key: typeof ours) => ({ ...realisation, signatures: [signRealisation(realisation, key, ed25519)] });
  checkRealisation(by(ours), realisation.id, believed);
  checkRealisation(realisation, realisation.id, "all");
  const dev = `sha256:${"a".repeat(64)}!dev`;
  for (const whom of [believed, "all"] as const)
    assert.throws(() => checkRealisation(by(ours), dev, whom), hasCode("substitute.wrong-path"));
  for (const each of [realisation, by(foreign)])
    assert.throws(() => checkRealisation(each, realisation.id, believed), hasCode("substitute.untrusted-realisation"));
  // What was signed is the path as well.
  const moved = { ...by(ours), outPath: `/nix/store/${"1".repeat(32)}-x` as StorePath };
  assert.throws(() => checkRealisation(moved, realisation.id, believed), hasCode("substitute.untrusted-realisation"));
});

test.run();
