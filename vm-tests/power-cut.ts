import { vmTest } from "#floe/vm-test";
import { assertWhole, hold, serving } from "./generations.ts";

/** A service that can be made to hang when it stops, and one that can be made to hang when it starts. */
const stopping = {
  wantedBy: ["multi-user.target"],
  script: "exec sleep infinity",
  serviceConfig: { ExecStop: `/bin/sh -c '${hold("stop")}'`, TimeoutStopSec: "infinity" },
};
const starting = {
  wantedBy: ["multi-user.target"],
  serviceConfig: { Type: "oneshot", RemainAfterExit: true, ExecStart: `/bin/sh -c '${hold("start")}'` },
};

export default vmTest({
  name: "power-cut",
  description: "Wherever a switch loses power, the machine boots the generation before or after it, whole.",
  platforms: ["x86_64-linux"],
  machines: {
    machine: {
      config: { ...serving("one"), systemd: { services: { stopping } } },
      generations: { two: { ...serving("two"), systemd: { services: { starting } } } },
    },
  },
  async script({ machine, step, assert }) {
    const one = { machine, assert, runs: "base", defaultGeneration: 1, page: "one" };
    await step("generation 1 boots", async () => {
      await machine.start();
      await assertWhole(one);
    });
    for (const moment of ["stop", "start"]) {
      await step(`power is cut while units ${moment}: generation 1 boots`, async () => {
        await machine.succeed`touch ${`/run/hold-${moment}`}`;
        machine.spawn`floe system switch --store-path ${machine.systems["two"] ?? ""}`;
        await machine.within(120).waitForFile(`/run/reached-${moment}`);
        await machine.crash();
        await machine.start();
        await assertWhole(one);
      });
    }
    await step("power is cut as soon as the switch is done: generation 2 boots", async () => {
      await machine.switchTo("two");
      const generation = await machine.defaultGeneration();
      await machine.crash();
      await machine.start();
      await assertWhole({ machine, assert, runs: "two", defaultGeneration: generation, page: "two" });
    });
  },
});
