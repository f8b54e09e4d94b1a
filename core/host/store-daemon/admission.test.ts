import { test } from "uvu";
import * as assert from "uvu/assert";
import { admit, DEFAULT_ADMISSION, findNames, parseAdmissionRules, type UserNames } from "./index.ts";

const root: UserNames = { user: "root", groups: ["root"] };
const alice: UserNames = { user: "alice", groups: ["users", "wheel"] };

test("admit() serves everybody and trusts root, when nothing else is said", () => {
  assert.is(admit(root, DEFAULT_ADMISSION), "trusted");
  assert.is(admit(alice, DEFAULT_ADMISSION), "untrusted");
});

test("admit() does not trust who cannot be identified", () => {
  assert.is(admit(undefined, DEFAULT_ADMISSION), "untrusted");
  assert.is(admit({ user: undefined, groups: [] }, DEFAULT_ADMISSION), "untrusted");
  assert.is(admit(undefined, { allowedUsers: ["root", "@users"], trustedUsers: ["root"] }), "refused");
});

test("admit() knows users, groups and everybody", () => {
  const rules = { allowedUsers: ["@users"], trustedUsers: ["root", "@wheel"] };
  assert.is(admit(alice, rules), "trusted");
  assert.is(admit({ user: "bob", groups: ["users"] }, rules), "untrusted");
  assert.is(admit({ user: "eve", groups: ["guests"] }, rules), "refused");
  // A user's name is no group's, and the other way round.
  assert.is(
    admit({ user: "@wheel", groups: ["root"] }, { allowedUsers: [], trustedUsers: rules.trustedUsers }),
    "refused",
  );
  assert.is(admit(undefined, { allowedUsers: [], trustedUsers: ["*"] }), "trusted");
});

test("parseAdmissionRules() reads its part of a settings file", () => {
  assert.equal(parseAdmissionRules(`{"trustedUsers":["root","@wheel"],"mirrors":{}}`, "f"), {
    allowedUsers: ["*"],
    trustedUsers: ["root", "@wheel"],
  });
  assert.equal(parseAdmissionRules("{}", "f"), DEFAULT_ADMISSION);
  for (const wrong of ["no", "[]", `{"trustedUsers":"root"}`, `{"allowedUsers":[1]}`, `{"allowedUsers":[""]}`]) {
    assert.throws(
      () => parseAdmissionRules(wrong, "f"),
      (error: { code?: string }) => error.code === "daemon.settings-malformed",
    );
  }
});

test("findNames() asks this machine, for groups only where they count", () => {
  const withGroups = { allowedUsers: ["*"], trustedUsers: ["@wheel"] };
  const root = { processId: 1, userId: 0, groupId: 0 };
  const names = findNames(root, withGroups);
  assert.is(names.user, "root");
  assert.ok(names.groups.includes("root"));
  assert.equal(findNames(root, DEFAULT_ADMISSION), { user: "root", groups: [] });
  const nobody = { processId: 1, userId: 3_999_999_999, groupId: 3_999_999_999 };
  assert.equal(findNames(nobody, withGroups), { user: undefined, groups: [] });
});

test.run();
