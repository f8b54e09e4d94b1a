import type { HostileCase } from "./corpus.ts";

const slow = (name: string, code: string, head = ""): HostileCase => ({
  name,
  code,
  head,
  refused: "evaluation.timeout",
  saying: "longer than 2 seconds",
  limits: { timeoutSeconds: 2 },
});
const large = (name: string, code: string, head = ""): HostileCase => ({
  name,
  code,
  head,
  refused: "evaluation.out-of-memory",
  saying: "more than 64 MiB",
  limits: { timeoutSeconds: 20, memoryMiB: 64 },
});

/** What would never end, or take all there is. */
export const ENDLESS: readonly HostileCase[] = [
  slow("a loop without end", "(() => {\n  /*@line*/for (;;);\n})()"),
  slow("a loop without end while a module is loaded", "1", "/*@line*/while (true);"),
  slow(
    "a regular expression that goes back again and again",
    "(() => {\n  /*@line*/return /^(a+)+$/.test('a'.repeat(60) + 'b');\n})()",
  ),
  slow("a loop that catches everything", "(() => {\n  for (;;) try { throw 1; } catch {} finally {}\n})()"),
  large(
    "a list without end",
    "(() => { const all: unknown[] = [];\n  for (;;) all.push(new Array(1000).fill(all.length));\n})()",
  ),
  large(
    "a text without end",
    "(() => { const all: string[] = [];\n  for (let i = 0; ; i++) all.push(Array(100_000).fill(i).join(''));\n})()",
  ),
  large("a generator without end", "[...endless()]", "function* endless() { for (let i = 0; ; i++) yield [i]; }"),
  {
    name: "buffers without end",
    code: "(() => { const all: unknown[] = []; for (;;) all.push(/*@*/new ArrayBuffer(64 * 1024 * 1024)); })()",
    refused: "evaluation.failed",
    saying: "Array buffer allocation failed",
    limits: { memoryMiB: 64 },
  },
  {
    name: "calls inside each other without end",
    code: "deep(0)",
    head: "function deep(n: number): number { /*@*/return 1 + deep(n + 1); }",
    refused: "evaluation.failed",
    saying: "Maximum call stack size exceeded",
  },
  {
    name: "a console that is flooded",
    code: "1",
    head: "for (let i = 0; i < 100_000; i++) console.log('x'.repeat(1000));",
    value: 1,
  },
];
