import { copyShell } from "../../testing-flake.ts";
import type { Mistake, Section } from "../mistake.ts";

// A kernel in the form of the Multiboot Specification, version 1: its header, then `cli`, and `hlt` for ever.
const MACHINES = String.raw`import { callerLocation } from "#floe/base";
import { derivation, local } from "#floe/derivation";

const tools = local("./shell");
const print = "printf '\\2\\260\\255\\33\\0\\0\\1\\0\\376\\117\\121\\344\\0\\0\\20\\0\\0\\0\\20\\0\\0\\0\\0\\0\\0\\0\\0\\0\\40\\0\\20\\0\\372\\364\\353\\375' > $out";

/** Stands for vmTest() of #floe/vm-test: each machine has a kernel that does nothing, and no system that would have to be built. */
export function vmTest({ machines, script, ...test }: any): any {
  const file = callerLocation(vmTest)?.file;
  const make = () => {
    const args = ["--library-path", ${"`${tools}`"}, ${"`${tools}/sh`"}, "-c", print];
    const nothing = ${'`${derivation({ name: "nothing", system: "x86_64-linux", builder: `${tools}/loader`, args })}`'};
    const base = { toplevel: nothing, kernel: nothing, initrd: nothing, kernelParameters: "" };
    const one = { architecture: "x86_64", memoryMiB: 32, cpus: 1, storeImage: nothing, rootImage: nothing, generations: { base } };
    return Object.fromEntries(machines.map((name: string) => [name, one]));
  };
  return Object.defineProperty(
    {
      ...{ type: "vmTest", description: "", platforms: ["x86_64-linux"], story: file, boot: "cold", ...test },
      programs: { node: "", path: [] },
      get machines() {
        return make();
      },
    },
    "script",
    { value: script },
  );
}
`;

/** A story of these machines with this script. */
const story = (names: string, body: string): string =>
  `import { vmTest } from "./machines.ts";

export default vmTest({
  name: "greet",
  machines: ["server", "client"],
  async script({ ${names} }) {
    ${body}
  },
});
`;

const RUN = ["vm-test", "run", "--direct", "--accel", "tcg", "--quiet", "--output", "records"] as const;

const one = (heading: string, text: string, more: Partial<Mistake> = {}): Mistake => ({
  heading,
  files: { "greet.ts": text },
  command: [...RUN, "greet"],
  prepare: ({ folder }) => copyShell(`${folder}/shell`),
  ...more,
});

/** Mistakes of stories about machines. */
export const stories: Section = {
  heading: "Machine tests",
  words:
    "Stories import `vmTest` from `#floe/vm-test`. Here it comes from a file beside it, which makes machines without a system, so that nothing has to be built for this page; what runs a story is the same.",
  files: {
    "flake.config.ts": `import { defineFlake } from "#floe/flake";\nimport greet from "./greet.ts";\n\nexport default defineFlake({ outputs: () => ({ vmTests: { greet } }) });\n`,
  },
  mistakes: [
    one(
      "A story that throws",
      story(
        "step",
        `await step("the page is read", () => {
      const [, title] = "no title".split("<title>");
      return title.▸trim();
    });`,
      ),
    ),
    one(
      "A value that is not what the story expects",
      story("step, assert", `await step("the page is read", () => assert.▸equal("hello, world", "hello, you"));`),
    ),
    one("A misspelt machine", story("▸sevrer, step", `await step("the server boots", () => sevrer.start());`)),
    one(
      "A machine that was not started",
      story("server, step", `await step("the page is served", () => server.▸waitForPort(80));`),
    ),
    one(
      "A generation that there is not",
      story("server, step", `await step("the next generation runs", () => server.▸switchTo("next"));`),
    ),
    one(
      "A call that nobody waits for",
      story(
        "server, client, step",
        `await step("both boot", () => {
      server.▸start();
    });`,
      ),
    ),
    one("A test that does not end", story("server, step", `await step("the server boots", () => server.▸start());`), {
      command: [...RUN, "--timeout", "10", "greet"],
    }),
    one("A misspelt test", story("server", "await server.start();"), {
      command: [...RUN, "gret"],
      names: "gret",
    }),
    one("A platform that a test does not declare", story("server", "await server.start();"), {
      command: ["vm-test", "run", "--platform", "aarch64-linux", "greet"],
    }),
    one(
      "A test in a file of another one",
      story("server", "await server.start();").replace("export default", "export const greet ="),
      {
        hidden: {
          "flake.config.ts": `import { defineFlake } from "#floe/flake";\nimport { greet } from "./greet.ts";\n\nexport default defineFlake({ outputs: () => ({ vmTests: { greet } }) });\n`,
        },
      },
    ),
  ].map((mistake) => ({ ...mistake, hidden: { "machines.ts": MACHINES, ...mistake.hidden } })),
};
