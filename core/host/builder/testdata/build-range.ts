import { readdirSync, statSync } from "node:fs";
import { removeTree } from "../../files/index.ts";
import { openBuildBench } from "./build-bench.ts";

/** Builds with `uid-range` as the user this runs as, and prints what the builder said and what is left, as JSON. */
const [script = "", more = ""] = process.argv.slice(2);
const bench = await openBuildBench();
if (typeof bench === "string") throw new Error(bench);
const env = { requiredSystemFeatures: "uid-range" };
const value = await bench.script(script, { name: "ranged", env });
const report = await bench.build(value, { keepFailed: more === "keep" });
const store = bench.store.realStoreDirectory;
const isBuilt = report.exitCode === 0;
const owners = new Set(
  isBuilt ? ["", ...readdirSync(bench.real(value))].map((name) => statSync(`${bench.real(value)}/${name}`).uid) : [],
);
console.log(
  JSON.stringify({
    exitCode: report.exitCode,
    failures: report.failures.map(({ error }) => ({ code: error.code, message: error.message, hint: error.hint })),
    lines: report.events.flatMap((event) => (event.kind === "log-line" ? [event.line.trim().replace(/\s+/g, " ")] : [])),
    owners: [...owners],
    left: readdirSync(store).filter((name) => name.endsWith(".chroot")),
    uid: process.getuid?.(),
  }),
);
const second = await bench.script("id -u > $out", { name: "not-ranged" });
if ((await bench.build(second)).exitCode !== 0) throw new Error("an ordinary build fails afterwards");
bench.close();
// All that is left is ours to remove.
removeTree(bench.directory);
