import { join, resolve } from "node:path";
import { CodedError, didYouMean } from "../../core/base/index.ts";
import type {
  BootOptions,
  Checkpoint,
  ForkOptions,
  CommandResult,
  Connection,
  Disk,
  ForwardedPort,
  Hole,
  HttpAnswer,
  HttpOptions,
  Machine,
  MemoryHold,
  Network,
  PathOptions,
  PowerCutOptions,
  PowerCutReport,
  RootAfterPowerCut,
  RunningCommand,
  Screen,
  SwitchOptions,
  Systems,
  Unit,
} from "../machine.ts";
import type { Boot } from "./boot.ts";
import type { ExecOptions, Execution, TerminalSize } from "./agent-exec.ts";
import { checkFailed, checkSucceeded, toResult } from "./commands.ts";
import { GuestContext, type GuestSettings, shell } from "./guest-context.ts";
import { GuestDisk } from "./guest-disk.ts";
import { copyFrom, copyTo, nameOf } from "./guest-files.ts";
import { fetchThrough } from "./guest-http.ts";
import { forwardPort } from "./guest-ports.ts";
import { cutPower, leave } from "./guest-power.ts";
import { GuestScreen } from "./guest-screen.ts";
import { suspend, wake } from "./guest-sleep.ts";
import { GuestUnit, waitForUnit } from "./guest-units.ts";
import { untilResult, waitForPath, waitForPort, waitForUrl } from "./guest-waits.ts";
import type { KeptMachine, MachineHost } from "./machine-host.ts";
import { command } from "./shell.ts";

/** A switch stops, starts and settles units, and may be the guest's largest piece of work. */
const SWITCH_SECONDS = 300;
/** The agent, by whatever path it runs from, for what it can do beside speaking. */
const AGENT_PROGRAM = `"$(readlink /proc/$PPID/exe)"`;

/** Somebody at the serial console of a running machine. */
export interface ConsoleConnection {
  /** Aborted when the machine is off. */
  readonly ended: AbortSignal;
  write(data: Uint8Array): void;
  close(): void;
}

/** A machine as stories see it: {@link MachineHost} makes it run, the agent in it does what is asked. */
export class GuestMachine implements Machine {
  readonly name: string;
  readonly systems: Systems;
  readonly screen: Screen;
  readonly #host: MachineHost;
  readonly #context: GuestContext;

  constructor(host: MachineHost, settings: GuestSettings = {}) {
    this.#host = host;
    this.#context = new GuestContext(host, settings);
    this.name = host.name;
    this.systems = host.systems;
    this.screen = new GuestScreen(this.#context, host.calls);
  }

  within(seconds: number): Machine {
    return new GuestMachine(this.#host, { ...this.#context.settings, seconds });
  }

  as(user: string): Machine {
    return new GuestMachine(this.#host, { ...this.#context.settings, user });
  }

  start(options: BootOptions = {}): Promise<void> {
    return this.#call("start", async () => {
      if (this.#host.running)
        throw new CodedError("machine.running", `Cannot start the machine "${this.name}": it runs already`);
      await this.#host.boot(options, this.#context.settings.seconds);
    });
  }

  shutdown(): Promise<void> {
    return this.#call("shutdown", () => leave(this.#context, "poweroff"));
  }

  reboot(options: BootOptions = {}): Promise<void> {
    return this.#call("reboot", async () => {
      await leave(this.#context, "reboot");
      await this.#host.boot(options, this.#context.settings.seconds);
    });
  }

  bootGeneration(number: number): Promise<void> {
    return this.reboot({ generation: number });
  }

  crash(): Promise<void> {
    return this.#call("crash", () => cutPower(this.#context));
  }

  suspend(): Promise<void> {
    return this.#call("suspend", () => suspend(this.#context));
  }

  wake(): Promise<void> {
    return this.#call("wake", () => wake(this.#context));
  }

  pause(): Promise<void> {
    return this.#call("pause", async () => void (await this.#boot().machine.qmp.command("stop")));
  }

  resume(): Promise<void> {
    return this.#call("resume", async () => void (await this.#boot().machine.qmp.command("cont")));
  }

  block(network?: Network): Promise<void> {
    return this.#call("block", () => this.#host.setCables(false, network?.name));
  }

  unblock(network?: Network): Promise<void> {
    return this.#call("unblock", () => this.#host.setCables(true, network?.name));
  }

  storeAfterPowerCuts(options: PowerCutOptions): Promise<PowerCutReport> {
    return this.#call("storeAfterPowerCuts", async () => {
      const { storeAfterPowerCuts } = await import("./store-power-cuts.ts");
      return storeAfterPowerCuts({ ...this.#host.getRecord(), folder: this.#host.folder, ...options });
    });
  }

  rootAfterPowerCut(): Promise<RootAfterPowerCut> {
    return this.#call("rootAfterPowerCut", async () => {
      const { rootAfterPowerCut } = await import("./root-after-power-cut.ts");
      return rootAfterPowerCut(this.#host.rootDisk(), this.#host.folder);
    });
  }

  checkpoint(): Promise<Checkpoint> {
    return this.#call("checkpoint", async () => {
      const kept = await this.#host.checkpoint();
      return { fork: (count, options) => this.#call("fork", () => this.#forks(kept, count, options)) };
    });
  }

  fork(count?: number, options?: ForkOptions): Promise<Machine[]> {
    return this.#call("fork", async () => this.#forks(await this.#host.checkpoint(), count, options));
  }

  #forks(kept: KeptMachine, count = 1, options: ForkOptions = {}): Promise<Machine[]> {
    const one = async (): Promise<Machine> =>
      new GuestMachine(await this.#host.fork(kept, options), this.#context.settings);
    return Promise.all(Array.from({ length: count }, one));
  }

  succeed(parts: TemplateStringsArray, ...holes: Hole[]): Promise<string> {
    const text = command(parts, holes);
    return this.#call(text, async () => checkSucceeded(this.name, text, await this.#context.run(text)).stdout);
  }

  fail(parts: TemplateStringsArray, ...holes: Hole[]): Promise<CommandResult> {
    const text = command(parts, holes);
    return this.#call(text, async () => checkFailed(this.name, text, await this.#context.run(text)));
  }

  execute(parts: TemplateStringsArray, ...holes: Hole[]): Promise<CommandResult> {
    const text = command(parts, holes);
    return this.#call(text, () => this.#context.run(text));
  }

  spawn(parts: TemplateStringsArray, ...holes: Hole[]): RunningCommand {
    const { user } = this.#context.settings;
    const options: ExecOptions = user === undefined ? {} : { user };
    const execution = this.#boot().agent.exec(shell(command(parts, holes)), options);
    const result = execution.result.then(toResult);
    result.catch(() => {});
    return { result, kill: () => execution.kill() };
  }

  waitForUnit(unit: string): Promise<void> {
    return this.#call(`waitForUnit ${unit}`, () => waitForUnit(this.#context, unit));
  }

  waitForPort(port: number, address = "127.0.0.1"): Promise<void> {
    return this.#call(`waitForPort ${port}`, () => waitForPort(this.#context, port, address, false));
  }

  waitForClosedPort(port: number, address = "127.0.0.1"): Promise<void> {
    return this.#call(`waitForClosedPort ${port}`, () => waitForPort(this.#context, port, address, true));
  }

  waitForFile(path: string): Promise<void> {
    return this.waitForPath(path);
  }

  waitForPath(path: string, options: PathOptions = {}): Promise<void> {
    return this.#call(`waitForPath ${path}`, () => waitForPath(this.#context, path, options));
  }

  waitForSocket(path: string): Promise<void> {
    return this.#call(`waitForSocket ${path}`, () =>
      this.#context.watch(`wait for the socket "${path}"`, { kind: "unix", path }),
    );
  }

  waitForProcess(text: string, options: { readonly gone?: boolean } = {}): Promise<void> {
    const what = options.gone === true ? `wait for the end of the process "${text}"` : `wait for the process "${text}"`;
    return this.#call(what, () => this.#context.watch(what, { kind: "process", text }, options));
  }

  waitForUrl(url: string, options: HttpOptions & { readonly status?: number } = {}): Promise<HttpAnswer> {
    return this.#call(`waitForUrl ${url}`, () => waitForUrl(this.#context, url, options));
  }

  waitUntilSucceeds(parts: TemplateStringsArray, ...holes: Hole[]): Promise<string> {
    const text = command(parts, holes);
    return this.#call(text, async () => {
      const result = await untilResult(this.#context, "succeed", text, ({ status }) => status === 0);
      return result.stdout;
    });
  }

  waitUntilFails(parts: TemplateStringsArray, ...holes: Hole[]): Promise<CommandResult> {
    const text = command(parts, holes);
    return this.#call(text, () => untilResult(this.#context, "fail", text, ({ status }) => status !== 0));
  }

  waitForConsoleText(pattern: RegExp | string): Promise<string> {
    const what = `see ${pattern} on the console`;
    return this.#call(what, () => this.#context.untilLine(what, this.#boot().console, pattern));
  }

  waitForJournal(pattern: RegExp | string): Promise<string> {
    const what = `see ${pattern} in the journal`;
    return this.#call(what, () => this.#context.untilLine(what, this.#boot().journal, pattern));
  }

  systemctl(...args: string[]): Promise<CommandResult> {
    return this.#call(`systemctl ${args.join(" ")}`, () => this.#context.exec(["systemctl", ...args]));
  }

  unit(name: string): Unit {
    return new GuestUnit(name, this.#context, this.#host.calls);
  }

  failedUnits(): Promise<string[]> {
    return this.#call("failedUnits", () =>
      this.#context.limited(this.#boot().manager.list("failed"), "list the units that have failed"),
    );
  }

  switchTo(generation: string, options: SwitchOptions = {}): Promise<CommandResult> {
    return this.#call(`switchTo ${generation}`, async () => {
      const toplevel = this.systems[generation];
      if (toplevel === undefined) {
        throw new CodedError(
          "machine.unknown-generation",
          `Cannot switch "${this.name}" to "${generation}": the story declares ${Object.keys(this.systems).join(", ")}`,
          { hint: didYouMean(generation, Object.keys(this.systems)) ?? "Declare it among the machine's generations." },
        );
      }
      const { mode = "switch", specialisation } = options;
      const variant = specialisation === undefined ? [] : ["--specialisation", specialisation];
      const argv = ["floe", "system", mode, "--store-path", toplevel, ...variant];
      return this.#expect(argv, options.expect ?? "success");
    });
  }

  rollback(): Promise<CommandResult> {
    return this.#call("rollback", () => this.#expect(["floe", "system", "rollback"], "success"));
  }

  defaultGeneration(): Promise<number> {
    return this.#call("defaultGeneration", async () => {
      const link = "/nix/var/nix/profiles/system";
      const found = (await this.#context.succeed(["readlink", link])).trim();
      const number = /^system-(\d+)-link$/.exec(found)?.[1];
      if (number !== undefined) return Number(number);
      throw new CodedError("machine.bad-profile", `Cannot read the generation from "${link}": it points to "${found}"`);
    });
  }

  bootId(): Promise<string> {
    return this.#call("bootId", async () => (await this.#boot().agent.hello).bootId);
  }

  copyTo(hostPath: string, guestPath: string): Promise<void> {
    return this.#call(`copyTo ${guestPath}`, () =>
      copyTo(this.#context, resolve(this.#host.storyFolder, hostPath), guestPath),
    );
  }

  copyFrom(guestPath: string, name = nameOf(guestPath)): Promise<string> {
    return this.#call(`copyFrom ${guestPath}`, () =>
      copyFrom(this.#context, guestPath, join(this.#host.folder, "files", name)),
    );
  }

  writeFile(guestPath: string, text: string, mode = 0o644): Promise<void> {
    return this.#call(`writeFile ${guestPath}`, () =>
      this.#context.limited(this.#boot().agent.put(guestPath, Buffer.from(text), mode), `write "${guestPath}"`),
    );
  }

  readFile(guestPath: string): Promise<string> {
    return this.#call(`readFile ${guestPath}`, async () => {
      const { data } = await this.#context.limited(this.#boot().agent.get(guestPath), `read "${guestPath}"`);
      return data.toString();
    });
  }

  journal(): string {
    return this.#boot().journal.text();
  }

  consoleText(): string {
    return this.#boot().console.text();
  }

  consoleLines(): AsyncIterable<string> {
    const { console, ended } = this.#boot();
    return console.follow(ended);
  }

  journalLines(): AsyncIterable<string> {
    const { journal, ended } = this.#boot();
    return journal.follow(ended);
  }

  sendConsole(text: string): void {
    this.#boot().machine.console.write(text);
  }

  disk(name: string): Disk {
    return new GuestDisk(name, this.#context, this.#host.calls);
  }

  fetch(url: string, options: HttpOptions = {}): Promise<HttpAnswer> {
    return this.#call(`fetch ${url}`, () => fetchThrough(this.#context, url, options));
  }

  connect(to: number | string): Promise<Connection> {
    return this.#call(`connect to ${to}`, () => {
      const { agent } = this.#boot();
      const connecting = agent.connect(typeof to === "number" ? { address: "127.0.0.1", port: to } : { path: to });
      return this.#context.limited(connecting, `connect to ${to}`);
    });
  }

  forwardPort(guestPort: number, address = "127.0.0.1", hostPort = 0): Promise<ForwardedPort> {
    return this.#call(`forwardPort ${guestPort}`, () => forwardPort(this.#context, guestPort, address, hostPort));
  }

  skewClock(seconds: number): Promise<void> {
    return this.#call(`skewClock ${seconds}`, async () => {
      const now = await this.#now();
      const { agent } = this.#boot();
      await this.#context.limited(agent.setClock(new Date(now.getTime() + seconds * 1000)), "set the clock");
    });
  }

  clock(): Promise<Date> {
    return this.#call("clock", () => this.#now());
  }

  useMemory(mebibytes: number): Promise<MemoryHold> {
    return this.#call(`useMemory ${mebibytes}`, async () => {
      const { agent } = this.#boot();
      let hold = (): void => {};
      const held = new Promise<void>((resolve) => {
        hold = resolve;
      });
      const argv = shell(`exec ${AGENT_PROGRAM} --hold ${mebibytes}`);
      const execution = agent.exec(argv, { onOutput: (stream) => stream === "stdout" && hold() });
      const refused = execution.result.then((result) => {
        const { signal, stderr } = toResult(result);
        const why = signal === undefined ? stderr.trim() : `${signal} ended what held it`;
        throw new CodedError("machine.no-memory", `Cannot hold ${mebibytes} MiB on "${this.name}": ${why}`);
      });
      refused.catch(() => {});
      await this.#context.limited(Promise.race([held, refused]), `hold ${mebibytes} MiB`);
      return {
        release: () =>
          this.#call("release memory", async () => {
            execution.kill();
            await execution.result;
          }),
      };
    });
  }

  /** A program in a terminal of its own, for who sits before one; what it writes goes to `onOutput`. */
  openTerminal(argv: readonly string[], size: TerminalSize, onOutput: (data: Buffer) => void): Execution {
    const { user } = this.#context.settings;
    return this.#boot().agent.exec(argv, {
      stdin: "open",
      terminal: size,
      keepOutput: false,
      environment: { TERM: process.env["TERM"] ?? "xterm" },
      onOutput: (_stream, data) => onOutput(data),
      ...(user === undefined ? {} : { user }),
    });
  }

  /** The serial console itself: what it says from now on, byte by byte, and where to type. It ends with the boot. */
  openConsole(onOutput: (data: Buffer) => void): ConsoleConnection {
    const { machine, ended } = this.#boot();
    const { console } = machine;
    console.on("data", onOutput);
    return { ended, write: (data) => void console.write(data), close: () => void console.off("data", onOutput) };
  }

  #boot(): Boot {
    return this.#context.boot();
  }

  #call<T>(what: string, body: () => Promise<T>): Promise<T> {
    return this.#host.calls.call(what, body);
  }

  async #now(): Promise<Date> {
    return new Date(Number(await this.#context.succeed(["date", "+%s%3N"])));
  }

  async #expect(argv: readonly string[], expected: NonNullable<SwitchOptions["expect"]>): Promise<CommandResult> {
    const result = await this.#context.exec(argv, { seconds: SWITCH_SECONDS });
    if (expected === "success") checkSucceeded(this.name, argv.join(" "), result);
    if (expected === "failure") checkFailed(this.name, argv.join(" "), result);
    return result;
  }
}
