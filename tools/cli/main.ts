import { runProgram } from "./program.ts";
import { routes } from "./routes.ts";
import { VERSION } from "./version.ts";

await runProgram({ name: "floe", version: VERSION, routes, arguments: process.argv.slice(2) });
