import { test } from "uvu";
import * as assert from "uvu/assert";
import { makeFolder } from "../testing.ts";
import { Mounts, type SourceRefused } from "./mounts.ts";

const hostPath = makeFolder({ "greeting.ts": "" });
const mounts = new Mounts([{ path: "/@flake", hostPath, name: "the flake" }]);

function refusalOf(from: Mounts, path: string): SourceRefused {
  try {
    from.locate(path);
  } catch (error) {
    return error as SourceRefused;
  }
  throw new Error("Expected an error, found none");
}

test("Mounts withoutReads() looks for no names that may be meant, and has read nothing", () => {
  mounts.read(mounts.locate("/@flake/greeting.ts"));
  const others = mounts.withoutReads();
  assert.equal([mounts.reads.size, others.reads.size], [1, 0]);
  assert.match(refusalOf(mounts, "/@flake/greting.ts").hint as string, "greeting.ts");
  const { code, hint } = refusalOf(others, "/@flake/greting.ts");
  assert.equal([code, hint], ["source.missing", undefined]);
});

test("Mounts has() says whether a path may be that of a file", () => {
  assert.equal(
    ["/@flake/greeting.ts", "/@flake/gone.ts", "/@other/greeting.ts"].map((path) => mounts.has(path)),
    [true, true, false],
  );
  const listed = new Mounts([{ path: "/@flake", hostPath, name: "the flake", files: ["greeting.ts"] }]);
  assert.equal(
    ["/@flake/greeting.ts", "/@flake/gone.ts"].map((path) => listed.has(path)),
    [true, false],
  );
});

test.run();
