export { makeSystemCallFilter } from "./filter.ts";
