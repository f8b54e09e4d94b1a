import { type RunEvent, showSeconds } from "./run-log.ts";
import type { RecordedSample } from "./report/run-record.ts";

/** What one machine of a running test is up to. */
interface MachineView {
  state: "booting" | "running" | "off";
  sinceMs: number;
  activity: string;
  sample?: Pick<RecordedSample, "at" | "cpuSeconds" | "memoryBytes"> | undefined;
  use: string;
}

const MIB = 1024 * 1024;

/** How a test that runs looks at an instant: its open steps, and what each of its machines is and does. */
export class RunView {
  readonly #name: string;
  readonly #beginMs: number;
  readonly #steps: { readonly name: string; readonly beginMs: number }[] = [];
  readonly #machines = new Map<string, MachineView>();

  constructor(name: string, nowMs: number) {
    this.#name = name;
    this.#beginMs = nowMs;
  }

  /** How many steps are open. */
  get depth(): number {
    return this.#steps.length;
  }

  take(event: RunEvent, nowMs: number): void {
    if (event.kind === "step-begin") this.#steps.push({ name: event.name, beginMs: nowMs });
    if (event.kind === "step-end") {
      const at = this.#steps.findLastIndex(({ name }) => name === event.name);
      if (at >= 0) this.#steps.splice(at, 1);
    }
    if (event.kind === "machine") {
      const machine = this.#machine(event.machine, nowMs);
      machine.activity = oneLine(event.text);
      if (event.state !== undefined && event.state !== machine.state) {
        Object.assign(machine, { state: event.state, sinceMs: nowMs, use: "", sample: undefined });
      }
    }
    if (event.kind === "command") this.#machine(event.machine, nowMs).activity = `$ ${oneLine(event.command)}`;
    if (event.kind === "trouble") this.#machine(event.machine, nowMs).activity = `! ${oneLine(event.line)}`;
  }

  /** What a machine has used up to now. */
  sample(name: string, sample: NonNullable<MachineView["sample"]>, nowMs: number): void {
    const machine = this.#machine(name, nowMs);
    const { sample: before } = machine;
    machine.sample = sample;
    const memory = `${Math.round(sample.memoryBytes / MIB)} MiB`;
    const seconds = before === undefined ? 0 : sample.at - before.at;
    const used = before === undefined ? -1 : sample.cpuSeconds - before.cpuSeconds;
    // Figures fall where a boot ends and the next begins.
    machine.use = seconds <= 0 || used < 0 ? memory : `${Math.round((used / seconds) * 100)} % cpu, ${memory}`;
  }

  /** The test as a tree: itself, its open steps one inside of the other, and its machines. */
  lines(nowMs: number): string[] {
    const since = (ms: number): string => showSeconds(Math.floor((nowMs - ms) / 1000)).replace(".0", "");
    const steps = this.#steps.map(({ name, beginMs }, depth) => `${"  ".repeat(depth)}… ${name} (${since(beginMs)})`);
    const machines = [...this.#machines].map(([name, { state, sinceMs, use, activity }]) =>
      [`${name}: ${state} ${since(sinceMs)}`, use, activity].filter((part) => part !== "").join(" · "),
    );
    const below = [...steps, ...machines];
    return [
      `${this.#name} (${since(this.#beginMs)})`,
      ...below.map((line, index) => `${index === below.length - 1 ? "└" : "├"} ${line}`),
    ];
  }

  #machine(name: string, nowMs: number): MachineView {
    const known = this.#machines.get(name);
    if (known !== undefined) return known;
    const made: MachineView = { state: "off", sinceMs: nowMs, activity: "", use: "" };
    this.#machines.set(name, made);
    return made;
  }
}

/** A text of several lines on one. */
export function oneLine(text: string): string {
  return text.trim().replace(/\s*\n\s*/g, "; ");
}
