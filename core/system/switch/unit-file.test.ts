import { test } from "uvu";
import * as assert from "uvu/assert";
import { compareUnits, parseUnit, unitFlag, unitValues } from "./index.ts";

test("parseUnit() reads sections, repeated keys, comments and continued lines", () => {
  const unit = parseUnit("[Unit]\n# comment\n; too\nAfter=a \\\n  b\n[Service]\nExecStart=/x = y\nExecStart=/z\n");
  assert.equal(unitValues(unit, "Unit", "After"), ["a  b"]);
  assert.equal(unitValues(unit, "Service", "ExecStart"), ["/x = y", "/z"]);
  assert.equal(unitValues(unit, "Service", "Nothing"), []);
});

test("parseUnit() merges drop-ins; an empty assignment takes back what was said", () => {
  const unit = parseUnit("[Service]\nExecStart=/a\nNice=1\n", "[Service]\nExecStart=\nExecStart=/b\n");
  assert.equal(unitValues(unit, "Service", "ExecStart"), ["/b"]);
  assert.equal(unitValues(unit, "Service", "Nice"), ["1"]);
});

test("unitFlag() reads systemd's booleans", () => {
  const unit = parseUnit("[Unit]\nA=yes\nB=0\nC=true\nC=off\n");
  assert.is(unitFlag(unit, "Unit", "A", false), true);
  assert.is(unitFlag(unit, "Unit", "B", true), false);
  assert.is(unitFlag(unit, "Unit", "C", true), false);
  assert.is(unitFlag(unit, "Unit", "D", true), true);
});

const compare = (a: string, b: string) => compareUnits(parseUnit(a), parseUnit(b));

test("compareUnits(): what a running unit notices", () => {
  const cases: [string, string, string][] = [
    ["[Service]\nExecStart=/a", "[Service]\nExecStart=/a", "equal"],
    ["[Service]\nExecStart=/a", "[Service]\nExecStart=/b", "restart"],
    ["[Service]\nExecStart=/a", "[Service]\nExecStart=/a\nNice=1", "restart"],
    ["[Service]\nA=1\nB=2", "[Service]\nB=2\nA=1", "equal"],
    ["[Service]\nA=1\nA=2", "[Service]\nA=2\nA=1", "restart"],
    ["[Unit]\nDescription=a", "[Unit]\nDescription=b", "equal"],
    ["[Unit]\nX-OnChange=restart", "[Unit]\nX-OnChange=ignore", "equal"],
    ["[Unit]\nAfter=a", "[Unit]\nAfter=b", "restart"],
    ["[Install]\nWantedBy=a", "[Install]\nWantedBy=b", "equal"],
    ["[Service]\nA=1", "[Service]\nA=1\n[Install]\nWantedBy=b", "equal"],
    ["[Unit]\nX-Reload-Triggers=a", "[Unit]\nX-Reload-Triggers=b", "reload"],
    ["[Unit]\nX-Restart-Triggers=a", "[Unit]\nX-Restart-Triggers=b", "restart"],
    ["[Unit]\nX-Reload-Triggers=a\n[Service]\nA=1", "[Unit]\nX-Reload-Triggers=b\n[Service]\nA=2", "restart"],
    ["[Mount]\nOptions=ro", "[Mount]\nOptions=rw", "reload"],
    ["[Mount]\nWhat=a", "[Mount]\nWhat=b", "restart"],
  ];
  for (const [before, after, expected] of cases) {
    assert.is(compare(before, after), expected, `${before} → ${after}`);
    assert.is(compare(after, before), expected, `${after} → ${before}`);
  }
});

test.run();
