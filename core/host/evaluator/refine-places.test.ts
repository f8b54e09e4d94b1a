import { test } from "uvu";
import * as assert from "uvu/assert";
import { ENGINE_PLACE, FLAKE_PLACE, Places } from "./places.ts";
import type { ErrorReport } from "./protocol.ts";
import { refinePlaces, tellPlaces } from "./refine-places.ts";
import { makeFolder } from "./testing.ts";

const TEXT = `define({
  services: {
    web: { enable: true, port: "80" },
  },
});
`;
const hostPath = makeFolder({ "flake.config.ts": TEXT, "core/module/define.ts": TEXT });
const places = new Places([
  { path: ENGINE_PLACE, hostPath, name: "Floe", folders: ["core"] },
  { path: FLAKE_PLACE, hostPath, name: "the flake" },
]);
const FILE = `${FLAKE_PLACE}/flake.config.ts`;

function report(more: Partial<ErrorReport>): ErrorReport {
  return { name: "CodedError", code: "option.type", message: 'Cannot set "services.web.port"', stack: "", ...more };
}

test("refinePlaces() moves a place from the call to the key that it is about", () => {
  const at = { file: FILE, line: 1, column: 1 };
  assert.equal(refinePlaces(report({ at }), places).at, { file: FILE, line: 3, column: 26 });
  const beyond = report({ at, message: 'Cannot set "services.web.prt"' });
  assert.equal(refinePlaces(beyond, places).at, { file: FILE, line: 3, column: 5 });
});

test("refinePlaces() finds an option that has no group around it", () => {
  const at = { file: FILE, line: 1, column: 1 };
  const named = report({ at, message: 'Cannot set option "services": found no such option, expected one of "web"' });
  assert.equal(refinePlaces(named, places).at, { file: FILE, line: 2, column: 3 });
});

test("tellPlaces() tells warnings and definitions at their keys, on this machine", () => {
  const { onHost, onKeys, keyAt } = tellPlaces(places);
  const file = `${hostPath}/flake.config.ts`;
  const warning = `${FILE}:1:1: "services.web.port" has another name now. Use "services.web.at".`;
  assert.is(onKeys(warning), warning.replace(`${FILE}:1:1`, `${file}:3:26`));
  assert.is(onHost(warning), warning.replace(FILE, file));
  const at = { file, line: 1, column: 1 };
  assert.equal(keyAt(at, "services.web.port"), { file, line: 3, column: 26 });
  assert.equal(keyAt(at, "services"), { file, line: 2, column: 3 });
  const elsewhere = { ...at, file: "/elsewhere/a.ts" };
  assert.equal(keyAt(elsewhere, "services"), elsewhere);
});

test("refinePlaces() finds what was written under a former name", () => {
  const at = { file: FILE, line: 1, column: 1 };
  const warning = `warning: ${FILE}:1:1: "services.web.enable" has another name now. Use "services.web.on".`;
  const found = refinePlaces(report({ at, message: 'Cannot set "services.web.on"', details: [warning] }), places);
  assert.equal(found.at, { file: FILE, line: 3, column: 12 });
  const elsewhere = warning.replace(":1:1:", ":2:1:");
  const own = refinePlaces(report({ at, details: [elsewhere] }), places);
  assert.equal(own.at, { file: FILE, line: 3, column: 26 });
});

test("refinePlaces() moves the places in texts, each by the option of its line", () => {
  const details = [`"services.web.enable" at ${FILE}:1:1`, `and at ${FILE}:1:1`];
  const refined = refinePlaces(report({ message: `Cannot merge "services.web.port" of ${FILE}:1:1`, details }), places);
  assert.is(refined.message, `Cannot merge "services.web.port" of ${FILE}:3:26`);
  assert.equal(refined.details, [`"services.web.enable" at ${FILE}:3:12`, `and at ${FILE}:3:26`]);
});

test("refinePlaces() leaves what is about no option, places of the engine, and files that it may not or cannot read", () => {
  const at = (file: string, line = 1): ErrorReport["at"] & object => ({ file, line, column: 1 });
  const other = report({ code: "flake.malformed", at: at(FILE) });
  assert.is(refinePlaces(other, places), other);
  for (const place of [
    at(`${ENGINE_PLACE}/core/module/define.ts`),
    at("/etc/passwd"),
    at(`${FLAKE_PLACE}/gone.ts`),
    at(FILE, 99),
  ])
    assert.equal(refinePlaces(report({ at: place }), places).at, place);
  const unnamed = report({ at: at(FILE), message: "Cannot set it" });
  assert.equal(refinePlaces(unnamed, places), unnamed);
});

test("tellPlaces() reads doc comments of the sources, but not of the engine", () => {
  const declared = `declare("web", {\n  /** Run it. */\n  enable: option.bool(),\n});\n`;
  const folder = makeFolder({ "flake.config.ts": declared, "core/a.ts": declared });
  const { commentOn } = tellPlaces(
    new Places([
      { path: ENGINE_PLACE, hostPath: folder, name: "Floe", folders: ["core"] },
      { path: FLAKE_PLACE, hostPath: folder, name: "the flake" },
    ]),
  );
  const at = { file: FILE, line: 1, column: 1 };
  assert.is(commentOn(at, ["enable"]), "Run it.");
  assert.is(commentOn({ ...at, file: `${folder}/flake.config.ts` }, ["enable"]), "Run it.");
  assert.is(commentOn(at, ["port"]), undefined);
  for (const file of [`${ENGINE_PLACE}/core/a.ts`, `${FLAKE_PLACE}/gone.ts`, "/elsewhere/a.ts"])
    assert.is(commentOn({ ...at, file }, ["enable"]), undefined, file);
});

test.run();
