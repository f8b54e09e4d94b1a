import type { Defs } from "#floe/module";
import type { Assert, Machine } from "#floe/vm-test";

/** A web server whose one page is a word: which system runs can be seen from outside. */
export function serving(word: string): Defs {
  return {
    services: {
      nginx: {
        enable: true,
        virtualHosts: { localhost: { default: true, locations: { "/": { return: `200 "${word}\\n"` } } } },
      },
    },
  };
}

/** A step of a switch that waits, once it is reached, for as long as /run/hold-NAME exists; then /run/reached-NAME does. */
export function hold(name: string): string {
  return `if [ -e /run/hold-${name} ]; then : > /run/reached-${name}; while [ -e /run/hold-${name} ]; do sleep 0.2; done; fi`;
}

export interface WholeOptions {
  readonly machine: Machine;
  readonly assert: Assert;
  /** Name of the generation whose system has to be the running one. */
  readonly runs: string;
  /** Number of the generation that has to be the default. */
  readonly defaultGeneration: number;
  /** The page it serves. */
  readonly page: string;
}

/** Show that a machine runs one generation, all of it: its system, its units, its /etc, its page. */
export async function assertWhole(options: WholeOptions): Promise<void> {
  const { machine, assert, runs, defaultGeneration, page } = options;
  const system = machine.systems[runs] ?? "no such generation";
  await machine.within(120).waitForUnit("multi-user.target");
  await machine.waitForUnit("nginx.service");
  await machine.waitForPort(80);
  const served = await machine.fetch("http://127.0.0.1/");
  assert.equal(served.body, `${page}\n`, `the page of generation "${runs}" is not served`);
  const links = await machine.succeed`
    readlink /nix/var/nix/profiles/system
    readlink -f /run/current-system /etc/systemd/system ${system}/etc/systemd/system
    systemctl list-units --state=failed --plain --no-legend --no-pager`;
  const [profile, running, units, ownUnits, ...failed] = links.trimEnd().split("\n");
  assert.equal(profile, `system-${defaultGeneration}-link`, "another generation is the default");
  assert.equal(running, system, "another system is running");
  assert.equal(units, ownUnits, "/etc does not belong to the running system");
  assert.deepEqual(failed, [], "units have failed");
}
