import { mkdir, readFile, writeFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { CodedError } from "../../core/base/index.ts";
import type {
  BootOptions,
  CommandResult,
  Hole,
  Machine,
  PowerCutOptions,
  PowerCutReport,
  RunningCommand,
  SwitchOptions,
  Systems,
} from "../machine.ts";
import type { Boot } from "./boot.ts";
import { callSite, withPlace } from "./call-site.ts";
import { checkFailed, checkSucceeded, showCommand, showOutput, toResult } from "./commands.ts";
import { Deadline } from "./deadline.ts";
import type { LineRecorder } from "./line-recorder.ts";
import type { MachineHost } from "./machine-host.ts";
import { command, quote } from "./shell.ts";
import { judgeUnit, parseUnitState, UNIT_PROPERTIES } from "./units.ts";
import { type Attempt, waitUntil, withDeadline } from "./wait.ts";

/** Seconds of the guest that a wait or a command may take. */
const DEFAULT_SECONDS = 60;
/** A switch stops, starts and settles units, and may be the guest's largest piece of work. */
const SWITCH_SECONDS = 300;
const POWER_OFF_SECONDS = 90;
/** A unit is looked at this often when the journal says nothing about it, which a journal that is not there does too. */
const UNIT_LOOK_MS = 3000;

/** A machine as stories see it: {@link MachineHost} makes it run, the agent in it does what is asked. */
export class GuestMachine implements Machine {
  readonly name: string;
  readonly systems: Systems;
  readonly #host: MachineHost;
  readonly #seconds: number | undefined;

  constructor(host: MachineHost, seconds?: number) {
    this.#host = host;
    this.#seconds = seconds;
    this.name = host.name;
    this.systems = host.systems;
  }

  within(seconds: number): Machine {
    return new GuestMachine(this.#host, seconds);
  }

  start(options: BootOptions = {}): Promise<void> {
    return placed(async () => {
      if (this.#host.running)
        throw new CodedError("machine.running", `Cannot start the machine "${this.name}": it runs already`);
      await this.#host.boot(options);
    });
  }

  shutdown(): Promise<void> {
    return placed(() => this.#leave("poweroff"));
  }

  reboot(options: BootOptions = {}): Promise<void> {
    return placed(async () => {
      await this.#leave("reboot");
      await this.#host.boot(options);
    });
  }

  crash(): Promise<void> {
    return placed(async () => {
      const boot = this.#boot();
      boot.expectEnd();
      boot.agent.close();
      await boot.machine.cutPower();
      this.#host.log({ kind: "machine", machine: this.name, text: "power cut", state: "off" });
    });
  }

  storeAfterPowerCuts(options: PowerCutOptions): Promise<PowerCutReport> {
    return placed(async () => {
      const { storeAfterPowerCuts } = await import("./store-power-cuts.ts");
      return storeAfterPowerCuts({ ...this.#host.getRecord(), folder: this.#host.folder, ...options });
    });
  }

  succeed(parts: TemplateStringsArray, ...holes: Hole[]): Promise<string> {
    return placed(async () => {
      const text = command(parts, holes);
      return checkSucceeded(this.name, text, await this.#run(text)).stdout;
    });
  }

  fail(parts: TemplateStringsArray, ...holes: Hole[]): Promise<CommandResult> {
    return placed(async () => {
      const text = command(parts, holes);
      return checkFailed(this.name, text, await this.#run(text));
    });
  }

  execute(parts: TemplateStringsArray, ...holes: Hole[]): Promise<CommandResult> {
    return placed(() => this.#run(command(parts, holes)));
  }

  spawn(parts: TemplateStringsArray, ...holes: Hole[]): RunningCommand {
    const execution = this.#boot().agent.exec(shell(command(parts, holes)));
    const result = placed(async () => toResult(await execution.result));
    result.catch(() => {});
    return { result, kill: () => execution.kill() };
  }

  waitForUnit(unit: string): Promise<void> {
    return placed(async () => {
      const boot = this.#boot();
      const show = ["systemctl", "show", `--property=${UNIT_PROPERTIES}`, unit];
      let description = unit;
      try {
        await waitUntil({
          what: `wait for the unit "${unit}" on "${this.name}"`,
          deadline: this.#deadline(),
          signal: boot.signal,
          // The journal tells when there is news of the unit, so that a guest at work is not asked in vain.
          pause: () => boot.journal.next(description, UNIT_LOOK_MS, boot.signal),
          attempt: async () => {
            const shown = await this.#exec(show);
            description = parseUnitState(shown.stdout).description || unit;
            return judgeUnit(this.name, unit, shown);
          },
        });
      } catch (error) {
        throw await this.#withUnitStatus(error, unit);
      }
    });
  }

  waitForPort(port: number, address = "127.0.0.1"): Promise<void> {
    return placed(async () => {
      await this.#until(`wait for port ${port}`, async () =>
        (await this.#connects(port, address))
          ? { value: true }
          : { seen: `nobody accepts connections to ${address}:${port}` },
      );
    });
  }

  waitForClosedPort(port: number, address = "127.0.0.1"): Promise<void> {
    return placed(async () => {
      await this.#until(`wait for port ${port} to close`, async () =>
        (await this.#connects(port, address)) ? { seen: `${address}:${port} accepts connections` } : { value: true },
      );
    });
  }

  waitForFile(path: string): Promise<void> {
    return placed(async () => {
      await this.#until(`wait for the file "${path}"`, async () =>
        (await this.#run(`test -e ${quote(path)}`)).status === 0 ? { value: true } : { seen: "no such file" },
      );
    });
  }

  waitUntilSucceeds(parts: TemplateStringsArray, ...holes: Hole[]): Promise<string> {
    return placed(async () => {
      const text = command(parts, holes);
      const result = await this.#untilResult(`see "${showCommand(text)}" succeed`, text, (found) => found.status === 0);
      return result.stdout;
    });
  }

  waitUntilFails(parts: TemplateStringsArray, ...holes: Hole[]): Promise<CommandResult> {
    return placed(() => {
      const text = command(parts, holes);
      return this.#untilResult(`see "${showCommand(text)}" fail`, text, (found) => found.status !== 0);
    });
  }

  waitForConsoleText(pattern: RegExp | string): Promise<string> {
    return placed(() => this.#untilLine(`see ${pattern} on the console`, this.#boot().console, pattern));
  }

  waitForJournal(pattern: RegExp | string): Promise<string> {
    return placed(() => this.#untilLine(`see ${pattern} in the journal`, this.#boot().journal, pattern));
  }

  systemctl(...args: string[]): Promise<CommandResult> {
    return placed(() => this.#exec(["systemctl", ...args]));
  }

  failedUnits(): Promise<string[]> {
    return placed(async () => {
      const argv = ["systemctl", "list-units", "--state=failed", "--plain", "--no-legend", "--no-pager"];
      const { stdout } = checkSucceeded(this.name, argv.join(" "), await this.#exec(argv));
      return stdout
        .split("\n")
        .map((line) => line.trim().split(/\s+/)[0] ?? "")
        .filter((unit) => unit !== "");
    });
  }

  switchTo(generation: string, options: SwitchOptions = {}): Promise<CommandResult> {
    return placed(async () => {
      const toplevel = this.systems[generation];
      if (toplevel === undefined) {
        throw new CodedError(
          "machine.unknown-generation",
          `Cannot switch "${this.name}" to "${generation}": the story declares ${Object.keys(this.systems).join(", ")}`,
        );
      }
      const argv = ["floe", "system", options.mode ?? "switch", "--store-path", toplevel];
      return this.#expect(argv, options.expect ?? "success");
    });
  }

  rollback(): Promise<CommandResult> {
    return placed(() => this.#expect(["floe", "system", "rollback"], "success"));
  }

  defaultGeneration(): Promise<number> {
    return placed(async () => {
      const link = "/nix/var/nix/profiles/system";
      const { stdout } = checkSucceeded(this.name, `readlink ${link}`, await this.#exec(["readlink", link]));
      const number = /^system-(\d+)-link$/.exec(stdout.trim())?.[1];
      if (number !== undefined) return Number(number);
      throw new CodedError(
        "machine.bad-profile",
        `Cannot read the generation from "${link}": it points to "${stdout.trim()}"`,
      );
    });
  }

  bootId(): Promise<string> {
    return placed(async () => (await this.#boot().agent.hello).bootId);
  }

  copyTo(hostPath: string, guestPath: string): Promise<void> {
    return placed(async () => {
      const data = await readFile(resolve(this.#host.storyFolder, hostPath));
      await this.#limited(this.#boot().agent.put(guestPath, data), `copy to "${guestPath}"`);
    });
  }

  copyFrom(guestPath: string, name = basename(guestPath)): Promise<string> {
    return placed(async () => {
      const { data, mode } = await this.#limited(this.#boot().agent.get(guestPath), `copy from "${guestPath}"`);
      const file = join(this.#host.folder, "files", name);
      await mkdir(join(this.#host.folder, "files"), { recursive: true });
      await writeFile(file, data, { mode: mode | 0o600 });
      return file;
    });
  }

  writeFile(guestPath: string, text: string, mode = 0o644): Promise<void> {
    return placed(() =>
      this.#limited(this.#boot().agent.put(guestPath, Buffer.from(text), mode), `write "${guestPath}"`),
    );
  }

  readFile(guestPath: string): Promise<string> {
    return placed(async () => {
      const { data } = await this.#limited(this.#boot().agent.get(guestPath), `read "${guestPath}"`);
      return data.toString();
    });
  }

  journal(): string {
    return this.#boot().journal.text();
  }

  consoleText(): string {
    return this.#boot().console.text();
  }

  #boot(): Boot {
    return this.#host.current();
  }

  #deadline(seconds: number = this.#seconds ?? DEFAULT_SECONDS): Deadline {
    return new Deadline(this.#seconds ?? seconds, this.#boot().clock);
  }

  #run(text: string): Promise<CommandResult> {
    return this.#exec(shell(text), text);
  }

  /** Run a program under the machine's deadline, and record it. */
  async #exec(argv: readonly string[], shown = argv.join(" "), seconds?: number): Promise<CommandResult> {
    const boot = this.#boot();
    const deadline = this.#deadline(seconds);
    const begin = performance.now();
    const soFar = { stdout: "", stderr: "" };
    const execution = boot.agent.exec(argv, {
      onOutput: (stream, data) => {
        soFar[stream] += data.toString();
      },
    });
    const raw = await withDeadline(execution.result, deadline, boot.signal, () => {
      execution.kill();
      return new CodedError(
        "command.timeout",
        `Cannot run "${showCommand(shown)}" on "${this.name}": not done after ${deadline.show()}`,
        { details: showOutput(soFar), hint: "Give it more time with within(seconds)." },
      );
    });
    const result = toResult(raw);
    const entry = { command: shown, status: result.status, seconds: (performance.now() - begin) / 1000 };
    this.#host.log({ kind: "command", machine: this.name, ...entry, stdout: result.stdout, stderr: result.stderr });
    return result;
  }

  async #expect(argv: readonly string[], expected: NonNullable<SwitchOptions["expect"]>): Promise<CommandResult> {
    const result = await this.#exec(argv, argv.join(" "), SWITCH_SECONDS);
    if (expected === "success") checkSucceeded(this.name, argv.join(" "), result);
    if (expected === "failure") checkFailed(this.name, argv.join(" "), result);
    return result;
  }

  #limited<T>(work: Promise<T>, what: string): Promise<T> {
    const deadline = this.#deadline();
    return withDeadline(
      work,
      deadline,
      this.#boot().signal,
      () => new CodedError("command.timeout", `Cannot ${what} on "${this.name}": not done after ${deadline.show()}`),
    );
  }

  #until<T>(what: string, attempt: () => Promise<Attempt<T>>): Promise<T> {
    return waitUntil({
      what: `${what} on "${this.name}"`,
      deadline: this.#deadline(),
      signal: this.#boot().signal,
      attempt,
    });
  }

  #untilResult(what: string, text: string, good: (result: CommandResult) => boolean): Promise<CommandResult> {
    return this.#until(what, async () => {
      const result = await this.#run(text);
      if (good(result)) return { value: result };
      return {
        seen: [
          `status ${result.status}`,
          ...showOutput(result)
            .slice(-6)
            .map((line) => line.trim()),
        ].join("; "),
      };
    });
  }

  #untilLine(what: string, recorder: LineRecorder, pattern: RegExp | string): Promise<string> {
    return this.#until(what, async () => {
      const line = recorder.find(pattern);
      return line === undefined ? { seen: recorder.last(1)[0] ?? "nothing" } : { value: line };
    });
  }

  async #connects(port: number, address: string): Promise<boolean> {
    return (await this.#exec(["bash", "-c", `exec 3<>/dev/tcp/${address}/${port}`])).status === 0;
  }

  /** What systemd says about a unit, below the error about it. */
  async #withUnitStatus(error: unknown, unit: string): Promise<unknown> {
    if (!(error instanceof CodedError) || this.#boot().signal.aborted) return error;
    const status = await this.#exec(["systemctl", "status", "--no-pager", "--full", "--lines=20", unit]).catch(
      () => undefined,
    );
    const { code, message, hint } = error;
    return new CodedError(code, message, { hint, details: status?.stdout.trimEnd().split("\n") ?? [] });
  }

  /** Leave the running system through systemd; QEMU ends in either case, because a reboot is a new process. */
  async #leave(verb: "poweroff" | "reboot"): Promise<void> {
    const boot = this.#boot();
    const deadline = this.#deadline(POWER_OFF_SECONDS);
    boot.expectEnd();
    const asked = boot.agent.exec(["systemctl", "--no-block", verb]).result.catch(() => undefined);
    await withDeadline(
      Promise.race([
        boot.machine.process.exited,
        asked.then((result) => {
          if (result !== undefined && result.status !== 0)
            throw checkSucceeded(this.name, `systemctl ${verb}`, toResult(result));
          return boot.machine.process.exited;
        }),
      ]),
      deadline,
      new AbortController().signal,
      () => {
        boot.machine.process.kill();
        return new CodedError(
          "machine.does-not-stop",
          `Cannot ${verb} the machine "${this.name}": still on after ${deadline.show()}`,
          {
            details: boot.lastWords(),
          },
        );
      },
    );
    boot.agent.close();
    this.#host.log({
      kind: "machine",
      machine: this.name,
      text: verb === "reboot" ? "left for a reboot" : "powered off",
      state: "off",
    });
  }
}

function shell(text: string): string[] {
  return ["bash", "-c", `set -euo pipefail\n${text}`];
}

/** Run a method of the interface; a failure carries the line of the story that called it. */
function placed<T>(body: () => Promise<T>): Promise<T> {
  const at = callSite();
  return body().catch((error: unknown) => {
    throw withPlace(error, at);
  });
}
