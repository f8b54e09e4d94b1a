import { vmTest } from "#floe/vm-test";
import { assertWhole, hold, serving } from "./generations.ts";

const one = serving("one");
const two = serving("two");
const three = serving("three");

export default vmTest({
  name: "rollback",
  description:
    "A machine switches to a new generation and back, at run time and at boot; a switch that fails or loses power leaves a whole system.",
  platforms: ["x86_64-linux", "aarch64-linux"],
  machines: {
    machine: {
      config: {
        ...one,
        systemd: { services: { old: { wantedBy: ["multi-user.target"], script: "exec sleep infinity" } } },
      },
      generations: {
        two: {
          ...two,
          users: { users: { newcomer: { isNormalUser: true } } },
          systemd: { tmpfiles: { rules: ["d /srv/newcomer 0700 newcomer users - -"] } },
        },
        broken: {
          ...three,
          system: { activationScripts: { refuse: { text: "echo 'this activation refuses' >&2; exit 1" } } },
        },
        three: { ...three, system: { activationScripts: { hold: { text: hold("activation") } } } },
      },
    },
  },
  async script({ machine, step, assert }) {
    await step("generation 1 boots and serves its page", async () => {
      await machine.start();
      await assertWhole({ machine, assert, runs: "base", defaultGeneration: 1, page: "one" });
      await machine.waitForUnit("old.service");
      await machine.fail`id newcomer`;
    });

    const bootId = await machine.bootId();
    await step("a switch to generation 2 changes page, users, folders and services", async () => {
      await machine.switchTo("two");
      await assertWhole({ machine, assert, runs: "two", defaultGeneration: 2, page: "two" });
      assert.match(await machine.succeed`id newcomer`, /^uid=\d+\(newcomer\)/);
      assert.equal((await machine.succeed`stat -c %U /srv/newcomer`).trim(), "newcomer");
      assert.equal((await machine.systemctl("is-active", "old.service")).stdout.trim(), "inactive");
      assert.equal(await machine.bootId(), bootId, "the switch rebooted the machine");
    });

    await step("a reboot stays with generation 2", async () => {
      await machine.reboot();
      assert.notEqual(await machine.bootId(), bootId);
      await assertWhole({ machine, assert, runs: "two", defaultGeneration: 2, page: "two" });
    });

    await step("rollback gives generation 1 back without a reboot", async () => {
      const running = await machine.bootId();
      await machine.rollback();
      await assertWhole({ machine, assert, runs: "base", defaultGeneration: 1, page: "one" });
      await machine.waitForUnit("old.service");
      assert.equal(await machine.bootId(), running, "the rollback rebooted the machine");
    });

    await step("generation 2 can be chosen at boot, and the default stays", async () => {
      await machine.reboot({ generation: 2 });
      await assertWhole({ machine, assert, runs: "two", defaultGeneration: 1, page: "two" });
    });

    await step("a switch whose activation fails harms neither the running nor the default system", async () => {
      const result = await machine.switchTo("broken", { expect: "failure" });
      assert.equal(result.status, 2, "a failed activation has exit status 2");
      assert.match(result.stdout + result.stderr, /this activation refuses/);
      await assertWhole({ machine, assert, runs: "two", defaultGeneration: 1, page: "two" });
      assert.match(await machine.succeed`id newcomer`, /newcomer/);
    });

    await step("a power cut in the middle of a switch leaves the old system whole", async () => {
      await machine.succeed`touch /run/hold-activation`;
      machine.spawn`floe system switch --store-path ${machine.systems["three"] ?? ""}`;
      await machine.within(120).waitForFile("/run/reached-activation");
      await machine.crash();
      await machine.start();
      await assertWhole({ machine, assert, runs: "base", defaultGeneration: 1, page: "one" });
    });

    await step("neither of the two left a generation behind", async () => {
      const generations = JSON.parse(await machine.succeed`floe system list-generations --json`) as {
        generation: number;
      }[];
      assert.deepEqual(
        generations.map(({ generation }) => generation),
        [1, 2],
      );
    });
  },
});
