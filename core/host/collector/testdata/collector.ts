/**
 * `node collector.ts ROOT MILLISECONDS [BATCH]`: collect a store again and again; prints how often and how much was deleted.
 * May be killed at any instant.
 */
import { collectGarbage } from "../index.ts";

const [root, milliseconds, batchSize = "7"] = process.argv.slice(2) as [string, string, string?];
const ends = performance.now() + Number(milliseconds);
let rounds = 0;
let deleted = 0;
console.log("ready");
do {
  const report = await collectGarbage({ root, batchSize: Number(batchSize) });
  rounds += 1;
  deleted += report.deleted;
  console.log(`${rounds} ${deleted}`);
  await new Promise((resolve) => setTimeout(resolve, 5));
} while (performance.now() < ends);
