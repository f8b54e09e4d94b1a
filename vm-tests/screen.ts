import { vmTest } from "#floe/vm-test";

/** What scripts have of Node, which runs them. */
interface NodeProcess {
  getBuiltinModule(name: "node:fs"): { readFileSync(file: string): Uint8Array };
}

/** Bytes of a picture in which little is to be seen, and more. Measured: what QEMU shows before a guest draws takes 1.6 kB. */
const NOTHING_TO_SEE = 4000;

export default vmTest({
  name: "screen",
  description: "A machine with a screen shows what its console says, and takes what is typed.",
  platforms: ["x86_64-linux", "aarch64-linux"],
  machines: { machine: { screen: true, ocr: true, config: {} } },
  async script({ machine, step, assert }) {
    await step("the machine boots, and its kernel speaks on the screen", async () => {
      await machine.start();
      await machine.within(120).waitForUnit("multi-user.target");
      await machine.succeed`echo "a word for the screen" > /dev/kmsg`;
      await machine.screen.waitForText("a word for the screen");
    });
    await step("what is typed arrives, key by key", async () => {
      const reader = machine.spawn`
        exec < /dev/tty1 > /dev/tty1 2>&1
        touch /run/reading
        read -r line; echo "$line" > /run/typed
        read -r line; echo "$line" >> /run/typed`;
      await machine.waitForFile("/run/reading");
      await machine.screen.type('Hello, "Floe" #1! ~/a_b-c|d\n');
      await machine.screen.press("shift-a", "b", "minus", "ret");
      assert.equal((await reader.result).status, 0);
      assert.equal(await machine.readFile("/run/typed"), 'Hello, "Floe" #1! ~/a_b-c|d\nAb-\n');
      assert.match(await machine.screen.waitForText("Hello, "), /"Floe" #1!/);
    });
    await step("the picture has something to see", async () => {
      const { process } = globalThis as unknown as { process: NodeProcess };
      const picture = process.getBuiltinModule("node:fs").readFileSync(await machine.screen.screenshot("typed"));
      assert.equal(String.fromCharCode(...picture.slice(1, 4)), "PNG");
      assert.ok(picture.length > NOTHING_TO_SEE, `the picture has ${picture.length} bytes`);
    });
    await step("the picture can be read", async () => {
      // Reading keeps a processor of the host busy, and the machine waits.
      const read = await machine.within(600).screen.waitForPicture(/Hello,\s+.Floe/);
      assert.match(read, /a word for the screen/);
    });
    await step("the machine powers off", () => machine.shutdown());
  },
});
