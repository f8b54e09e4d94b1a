/**
 * `node collector.ts ROOT MILLISECONDS [BATCH]`: collect a store again and again; prints what happens, and how often and how much was deleted.
 * May be killed at any instant.
 */
import { collectGarbage, type GcEvent } from "../index.ts";

const [root, milliseconds, batchSize = "7"] = process.argv.slice(2) as [string, string, string?];
const ends = performance.now() + Number(milliseconds);
let rounds = 0;
let deleted = 0;
console.log("ready");
do {
  const events = ({ kind }: GcEvent): void => console.log(kind);
  const report = await collectGarbage({ root, batchSize: Number(batchSize), events });
  rounds += 1;
  deleted += report.deleted;
  console.log(`${rounds} ${deleted}`);
  await new Promise((resolve) => setTimeout(resolve, 5));
} while (performance.now() < ends);
