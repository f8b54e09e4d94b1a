import { runFloe } from "./run-floe.ts";

await runFloe(process.argv.slice(2));
