import type { HostileCase } from "./corpus.ts";

const impure = (name: string, code: string): HostileCase => ({ name, code, refused: "evaluation.impure" });
const failed = (name: string, code: string, head = ""): HostileCase => ({
  name,
  code,
  head,
  refused: "evaluation.failed",
});

/** What depends on the machine, the time, chance or the language of the user. */
export const IMPURE: readonly HostileCase[] = [
  impure("the clock", "Date./*@*/now()"),
  impure("a date of now", "/*@*/new Date().toISOString()"),
  impure("a date as text", "/*@*/Date()"),
  impure("a date of a class of its own", "new (class extends Date { constructor() { /*@*/super(); } })()"),
  impure("a date by the constructor of another", "/*@*/new (new Date(0).constructor)()"),
  impure("Temporal", "/*@return*/Temporal.Now.instant().toString()"),
  impure("performance", "/*@return*/performance.now()"),
  impure("Math.random", "Math./*@*/random()"),
  impure("Math.random as a value", "[1, 2]./*@*/map(Math.random)"),
  impure("crypto", "/*@return*/crypto.randomUUID()"),
  impure("Intl", "/*@return*/new Intl.Collator().compare('a', 'b')"),
  impure("localeCompare", "['b', 'a'].sort((x, y) => x./*@*/localeCompare(y))"),
  impure("a number by locale", "(1234.5)./*@*/toLocaleString()"),
  impure("a large number by locale", "10n./*@*/toLocaleString()"),
  impure("a date by locale", "new Date(0)./*@*/toLocaleDateString()"),
  impure("capitals by locale", "'i'./*@*/toLocaleUpperCase('tr')"),
  impure("a list by locale", "[1.5]./*@*/toLocaleString()"),
  impure("bytes by locale", "new Uint8Array([1])./*@*/toLocaleString()"),
  { name: "normal forms of text, which are the same everywhere", code: "'e\\u0301'.normalize('NFC')", value: "é" },
  {
    name: "a date of data, in the one time zone there is",
    code: "String(new Date(2026, 0, 1, 12))",
    value: "Thu Jan 01 2026 12:00:00 GMT+0000 (Coordinated Universal Time)",
  },
  impure("the environment", "/*@return*/process.env.HOME"),
  impure("the modules of Node by require", "/*@return*/require('node:fs').readFileSync('/etc/passwd', 'utf8')"),
  {
    name: "the process by the global object",
    code: "[typeof (globalThis as any).process, typeof (globalThis as any).global]",
    value: ["undefined", "undefined"],
  },
  impure("the network by fetch", "/*@return*/fetch('http://127.0.0.1/')"),
  impure("the network by WebSocket", "/*@return*/new WebSocket('ws://127.0.0.1/')"),
  impure("a timer", "/*@return*/setTimeout(() => {}, 1)"),
  impure("a microtask", "/*@return*/queueMicrotask(() => {})"),
  impure("a thread", "/*@return*/new Worker('data:text/javascript,1')"),
  impure("shared memory", "/*@return*/new SharedArrayBuffer(8)"),
  impure("waiting on shared memory", "/*@return*/Atomics.wait(new Int32Array(8), 0, 0)"),
  impure("WebAssembly", "/*@return*/new WebAssembly.Module(new Uint8Array())"),
  impure("a weak reference, which tells when memory is collected", "/*@return*/new WeakRef({}).deref()"),
  impure("a finalizer", "/*@return*/new FinalizationRegistry(() => {})"),
  {
    name: "a promise, which nobody waits for",
    code: "(Promise.resolve().then(() => { said.push('later'); }), said)",
    head: "const said: string[] = ['now'];",
    value: ["now"],
  },
  {
    name: "promises without end",
    code: "1",
    head: "const on = (): Promise<unknown> => Promise.resolve().then(on); on();",
    value: 1,
  },
  failed(
    "the host's number of processors",
    "/*@return*/navigatorOf().hardwareConcurrency",
    "declare const navigatorOf: any;",
  ),
];
