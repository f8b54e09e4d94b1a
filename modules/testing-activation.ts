import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** Holds the roots of all tests of this process, and goes with it. */
const folder = mkdtempSync(join(tmpdir(), "floe-activation-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));

/**
 * A machine of directories, for tests of activation snippets: /etc, /var and /home are its own, programs and bash
 * are the host's. Needs bubblewrap, as building does.
 */
export class ActivationRoot {
  readonly root = mkdtempSync(join(folder, "root-"));

  constructor() {
    for (const name of ["etc", "var/lib/floe", "home", "systems"])
      mkdirSync(join(this.root, name), { recursive: true });
  }

  /** Make a system with this /etc; values starting with `->` are links. */
  addSystem(name: string, etc: Readonly<Record<string, string>>, lines: readonly string[] = Object.keys(etc)): string {
    const system = join(this.root, "systems", name);
    for (const [path, text] of Object.entries(etc)) {
      mkdirSync(dirname(join(system, "etc", path)), { recursive: true });
      if (text.startsWith("->")) symlinkSync(text.slice(2), join(system, "etc", path));
      else writeFileSync(join(system, "etc", path), text);
    }
    for (const name of ["etc", "etc-links"]) mkdirSync(join(system, name), { recursive: true });
    for (const line of lines) {
      if (line.includes("\t")) continue;
      mkdirSync(dirname(join(system, "etc-links", line)), { recursive: true });
      symlinkSync(`/etc/static/${line}`, join(system, "etc-links", line));
    }
    writeFileSync(join(system, "etc-entries"), lines.map((line) => `${line}\n`).join(""));
    return system;
  }

  /**
   * Run a snippet as activation does.
   *
   * @param killAt Number of the command before which the process is killed, to see what an interruption leaves.
   * @returns whether it came to its end; throws when it fails.
   */
  run(snippet: string, system = "", killAt?: number): boolean {
    const binds = ["etc", "var", "home"].flatMap((name) => ["--bind", join(this.root, name), `/${name}`]);
    const systems = ["--bind", this.root, this.root];
    // An ordinary user cannot give files away; whose they are is then left out of the test.
    const owners = process.getuid?.() === 0 ? "" : "chown() { :; }\n";
    const script = `${owners}system=${system}\nFLOE_ACTION=switch\numask 0022\n( ${killAt === undefined ? "" : `set -T; n=0; trap '(( ++n == ${killAt} )) && kill -KILL $BASHPID' DEBUG; `}set -e\n${snippet}\n)\n`;
    const done = spawnSync(
      "bwrap",
      ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", ...systems, ...binds, "--", "bash", "-c", script],
      { encoding: "utf8" },
    );
    // 137 is how bash tells of a killed subshell.
    if (killAt !== undefined && done.status === 137) return false;
    if (done.status !== 0) throw new Error(`the snippet ended with ${done.status}: ${done.stderr}`);
    return true;
  }

  path(...parts: string[]): string {
    return join(this.root, ...parts);
  }
}
