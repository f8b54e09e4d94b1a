import { homedir } from "node:os";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { defaultStoreRoot, makeLayout } from "./index.ts";

test("makeLayout() puts everything below the root", () => {
  assert.is(makeLayout("/").stateDirectory, "/nix/var/nix");
  assert.equal(makeLayout("/srv/x/"), {
    root: "/srv/x",
    realStoreDirectory: "/srv/x/nix/store",
    stateDirectory: "/srv/x/nix/var/nix",
    logDirectory: "/srv/x/nix/var/log/nix",
    ownDirectory: "/srv/x/nix/store",
    immutable: false,
    address: "/srv/x",
  });
});

test("defaultStoreRoot() is the machine's store or the user's own", () => {
  assert.ok(["/", `${homedir()}/.local/share/floe/root`].includes(defaultStoreRoot()));
});

test.run();
