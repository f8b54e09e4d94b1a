import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { findSubordinateIds } from "./subordinate-ids.ts";

test("findSubordinateIds() finds ranges by name or number, and says what is missing", () => {
  const folder = mkdtempSync(join(tmpdir(), "floe-subordinate-"));
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    chmodSync(join(folder, name), 0o755);
    return join(folder, name);
  };
  try {
    const user = { name: "alice", uid: 1000 };
    const path = folder;
    const subuid = file("subuid", "# users\nbob:100000:65536\nalice:200000:1000\nalice:300000:65536\n");
    const subgid = file("subgid", "1000:400000:70000\n");
    const look = (more = {}) => findSubordinateIds(65_536, { user, subuid, subgid, path, ...more });
    const found = (more = {}): string => {
      const support = look(more);
      return support.kind === "missing" ? `${support.found}; ${support.hint}` : "nothing is missing";
    };
    assert.match(found(), "newuidmap is not on the PATH; Install it");
    file("newuidmap", "");
    assert.match(found(), "newgidmap is not on the PATH");
    file("newgidmap", "");
    assert.equal(look(), {
      kind: "available",
      ids: {
        newuidmap: join(folder, "newuidmap"),
        newgidmap: join(folder, "newgidmap"),
        count: 65_536,
        firstUid: 300_000,
        firstGid: 400_000,
      },
    });
    assert.match(found({ user: { name: "carol", uid: 7 } }), `"${subuid}" gives "carol" no 65536 numbers`);
    assert.match(found({ user: { name: "bob", uid: 7 } }), "usermod --add-subgids 100000-165535 bob");
    assert.match(found({ subuid: join(folder, "absent") }), "usermod --add-subuids");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.run();
