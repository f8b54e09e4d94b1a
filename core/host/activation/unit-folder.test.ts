import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { unitValues } from "../../system/switch/index.ts";
import { readUnits } from "./unit-folder.ts";

const root = mkdtempSync(join(tmpdir(), "floe-units-"));
test.after(() => rmSync(root, { recursive: true }));
const write = (path: string, text: string) => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
};

test("readUnits() finds units, templates, masks and drop-ins in the order of folders", () => {
  write("etc/a.service", "[Service]\nExecStart=/etc\n");
  write("lib/a.service", "[Service]\nExecStart=/lib\n");
  write("lib/b@.service", "[Service]\nExecStart=/b\n");
  write("lib/b@.service.d/x.conf", "[Service]\nNice=1\n");
  write("etc/b@one.service.d/y.conf", "[Service]\nNice=2\n");
  write("lib/c.service", "[Service]\n");
  symlinkSync("/dev/null", join(root, "etc/c.service"));
  write("fstab", "x /x ext4\n# y /y ext4\n");
  const units = readUnits({ own: join(root, "etc"), package: join(root, "lib"), fstab: join(root, "fstab") });
  const exec = (name: string) => units.find(name) && unitValues(units.find(name) as never, "Service", "ExecStart");
  assert.equal(exec("a.service"), ["/etc"]);
  assert.equal(exec("b@one.service"), ["/b"]);
  assert.equal(unitValues(units.find("b@one.service") as never, "Service", "Nice"), ["1", "2"]);
  assert.is(units.find("c.service")?.masked, true);
  assert.is(units.find("a.service")?.own, true);
  assert.is(units.find("b@one.service")?.own, false);
  assert.is(units.find("d.service"), undefined);
  assert.equal(
    units.fstab.map(({ point }) => point),
    ["/x"],
  );
});

test.run();
