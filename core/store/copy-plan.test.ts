import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { hashBytes } from "../base/index.ts";
import { groupForRegistration, makeTextPath, type PathInfo, planCopy, type StorePath } from "./index.ts";

const narHash = hashBytes("sha256", "");
const path = (index: number): StorePath => makeTextPath(`object-${index}`, "", []);

/** Objects that refer to earlier ones and to themselves. */
const objects: fc.Arbitrary<PathInfo[]> = fc
  .array(fc.tuple(fc.nat(1000), fc.array(fc.nat(), { maxLength: 3 })), { maxLength: 20 })
  .map((list) =>
    list.map(([narSize, references], index) => ({
      path: path(index),
      narHash,
      narSize: narSize + 1,
      references: [...new Set(references.map((reference) => path(reference % (index + 1))))].sort(),
      signatures: [],
    })),
  );

test("planCopy() moves large archives first, and tells of objects after what they refer to", () => {
  fc.assert(
    fc.property(objects, fc.nat(3), (infos, kept) => {
      const there = new Set(infos.filter((_, index) => index % 4 === kept).map((info) => info.path));
      const plan = planCopy(infos.toReversed(), (one) => there.has(one));
      const missing = infos.filter((info) => !there.has(info.path));
      assert.equal(new Set(plan.archives), new Set(missing));
      assert.equal(new Set(plan.metadata), new Set(missing));
      assert.is(plan.archives.length, missing.length);
      assert.is(
        plan.totalBytes,
        missing.reduce((sum, info) => sum + info.narSize, 0),
      );
      const done = new Set(there);
      for (const info of plan.metadata) {
        for (const reference of info.references) assert.ok(reference === info.path || done.has(reference));
        done.add(info.path);
      }
      for (const [index, info] of plan.archives.entries())
        assert.ok(info.narSize <= (plan.archives[index - 1]?.narSize ?? Infinity));
    }),
  );
});

test("groupForRegistration() cuts without changing the order, within the limits", () => {
  fc.assert(
    fc.property(objects, fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 3000 }), (infos, most, bytes) => {
      const groups = groupForRegistration(infos, { objects: most, bytes });
      assert.equal(groups.flat(), infos);
      for (const group of groups) {
        assert.ok(group.length >= 1 && group.length <= most);
        const size = group.reduce((sum, info) => sum + info.narSize, 0);
        assert.ok(group.length === 1 || size <= bytes);
      }
    }),
  );
});

test.run();
