import type { Section } from "../mistake.ts";

const CONFIG = ["eval", ".#machine"] as const;

const WEB = `import { declare, defineModule, option } from "#floe/module";

const options = declare("services.web", {
  /** Serve pages. */
  enable: option.bool({ default: false }),
  /** TCP port to listen on. */
  port: option.port({ default: 80 }),
  /** Whom to tell of faults. */
  admin: option.str(),
  /** How much is logged. */
  logLevel: option.enumeration(["error", "info", "debug"], { default: "info" }),
  /** Folder of the pages. */
  root: option.path({ default: "/srv" }),
  /** Further sites by name. */
  sites: option.attrsOf(option.submodule({ root: option.path(), aliases: option.listOf(option.str()) })),
});

export default defineModule(options, ({ cfg, check }) => {
  check(!cfg.enable || cfg.admin.includes("@"), "services.web.admin has to be an address of mail");
});
`;

/** A machine of the module above, and further ones. */
function machine(config: string, more = "", names = ""): string {
  return `import { defineFlake } from "#floe/flake";
import { ${names === "" ? "" : `${names}, `}evaluateModules } from "#floe/module";
import web from "./web.ts";
${more}
const machine = evaluateModules({
  modules: [web${[...more.matchAll(/const (\w+) = ▸?defineModule/g)].map(([, name]) => `, ${name}`).join("")}],
  config: ${config},
});

export default defineFlake({ outputs: () => ({ machine: machine.config }) });
`;
}

/** Mistakes of options and modules. */
export const options: Section = {
  heading: "Options and modules",
  words: "Each of these flakes has this module beside it:",
  files: { "web.ts": WEB },
  mistakes: [
    {
      heading: "A misspelt option",
      files: { "flake.config.ts": machine(`{ services: { web: { ▸prot: 8080, admin: "ann@example.org" } } }`) },
      command: CONFIG,
    },
    {
      heading: "A misspelt service",
      files: { "flake.config.ts": machine(`{ services: { ▸wbe: { enable: true } } }`) },
      command: CONFIG,
    },
    {
      heading: "A text for a number",
      files: { "flake.config.ts": machine(`{ services: { web: { ▸port: "8080", admin: "ann@example.org" } } }`) },
      command: CONFIG,
    },
    {
      heading: "A port that is none",
      files: { "flake.config.ts": machine(`{ services: { web: { ▸port: 80800, admin: "ann@example.org" } } }`) },
      command: CONFIG,
    },
    {
      heading: "A value that is none of the choices",
      files: {
        "flake.config.ts": machine(`{ services: { web: { ▸logLevel: "verbose", admin: "ann@example.org" } } }`),
      },
      command: CONFIG,
    },
    {
      heading: "A path that does not begin at the root",
      files: { "flake.config.ts": machine(`{ services: { web: { ▸root: "srv/pages", admin: "ann@example.org" } } }`) },
      command: CONFIG,
    },
    {
      heading: "A misspelt option of a site",
      files: {
        "flake.config.ts": machine(
          `{\n    services: {\n      web: {\n        admin: "ann@example.org",\n        sites: { blog: { root: "/srv/blog", ▸alias: ["notes"] } },\n      },\n    },\n  }`,
        ),
      },
      command: CONFIG,
    },
    {
      heading: "A wrong element of a list",
      files: {
        "flake.config.ts": machine(
          `{\n    services: {\n      web: {\n        admin: "ann@example.org",\n        sites: { blog: { root: "/srv/blog", ▸aliases: ["notes", 7] } },\n      },\n    },\n  }`,
        ),
      },
      command: CONFIG,
    },
    {
      heading: "A group where a value has to be",
      files: { "flake.config.ts": machine(`{ services: { ▸web: true } }`) },
      command: CONFIG,
    },
    {
      heading: "A value that nobody gave",
      files: { "flake.config.ts": machine(`{ services: { ▸web: { enable: true } } }`) },
      command: CONFIG,
    },
    {
      heading: "A value that is missing, read by the flake",
      files: {
        "flake.config.ts": machine(`{ services: { web: { port: 8080 } } }`).replace(
          "machine: machine.config",
          "machine: machine.config.services.web.▸admin",
        ),
      },
      command: CONFIG,
    },
    {
      heading: "Two values for one option",
      files: {
        "flake.config.ts": machine(
          `{ services: { web: { port: 8080, admin: "ann@example.org" } } }`,
          `\nconst proxy = defineModule({ key: "proxy" }, ({ define }) => {\n  define({ services: { web: { ▸port: 8081 } } });\n});\n`,
          "defineModule",
        ),
      },
      command: CONFIG,
    },
    {
      heading: "Two values that are both to win",
      files: {
        "flake.config.ts": machine(
          `{ services: { web: { port: force(8080), admin: "ann@example.org" } } }`,
          `\nconst proxy = defineModule({ key: "proxy" }, ({ define }) => {\n  define({ services: { web: { ▸port: force(8081) } } });\n});\n`,
          "defineModule, force",
        ),
      },
      command: CONFIG,
    },
    {
      heading: "Options that feed each other",
      files: {
        "flake.config.ts": machine(
          `{ services: { web: { admin: "ann@example.org" } } }`,
          `\nconst mirror = defineModule({ key: "mirror" }, ({ config, define }) => {\n  if (!config.services.web.enable) ▸define({ services: { web: { enable: true } } });\n});\n`,
          "defineModule",
        ),
      },
      command: CONFIG,
    },
    {
      heading: "An assertion that does not hold",
      files: {
        "flake.config.ts": machine(`{ services: { web: { enable: true, admin: "ann" } } }`),
        "web.ts": WEB.replace("  check(", "  ▸check("),
      },
      command: CONFIG,
    },
    {
      heading: "A module that throws",
      files: {
        "flake.config.ts": machine(
          `{ services: { web: { admin: "ann@example.org" } } }`,
          `\nconst proxy = defineModule({ key: "proxy" }, ({ config, define }) => {\n  const [, host] = config.services.web.admin.split("at");\n  define({ services: { web: { root: \`/srv/\${host.▸trim()}\` } } });\n});\n`,
          "defineModule",
        ),
      },
      command: CONFIG,
    },
    {
      heading: "A module that returns its definitions",
      files: {
        "flake.config.ts": machine(
          `{ services: { web: { admin: "ann@example.org" } } }`,
          `\nconst proxy = ▸defineModule({ key: "proxy" }, () => ({ services: { web: { port: 8080 } } }) as never);\n`,
          "defineModule",
        ),
      },
      command: CONFIG,
    },
    {
      heading: "A module that changes what it reads",
      files: {
        "flake.config.ts": machine(
          `{ services: { web: { admin: "ann@example.org" } } }`,
          `\nconst proxy = defineModule({ key: "proxy" }, ({ config }) => {\n  (config.services.web as any).port ▸= 8080;\n});\n`,
          "defineModule",
        ),
      },
      command: CONFIG,
    },
    {
      heading: "A module that reads an option which there is not",
      files: {
        "flake.config.ts": machine(
          `{ services: { web: { admin: "ann@example.org" } } }`,
          `\nconst proxy = defineModule({ key: "proxy" }, ({ config, define }) => {\n  if ((config.services.web as any).▸enabled) define({ services: { web: { port: 8080 } } });\n});\n`,
          "defineModule",
        ),
      },
      command: CONFIG,
    },
    {
      heading: "An option declared twice",
      files: {
        "flake.config.ts": machine(
          `{ services: { web: { admin: "ann@example.org" } } }`,
          `\nconst other = defineModule(▸declare("services.web", { port: option.port({ default: 8080 }) }), () => {});\n`,
          "declare, defineModule, option",
        ),
      },
      command: CONFIG,
    },
    {
      heading: "A renamed option with a wrong value",
      files: {
        "flake.config.ts": machine(
          `{ services: { web: { ▸listen: "80", admin: "ann@example.org" } } }`,
          `\nconst old = renamedOption("services.web.listen", "services.web.port");\n`,
          "renamedOption",
        ).replace("[web]", "[web, old]"),
      },
      command: CONFIG,
    },
    {
      heading: "An option renamed to what there is not",
      files: {
        "flake.config.ts": machine(
          `{ services: { web: { admin: "ann@example.org" } } }`,
          `\nconst old = ▸renamedOption("services.web.listen", "services.web.prot");\n`,
          "renamedOption",
        ).replace("[web]", "[web, old]"),
      },
      command: CONFIG,
    },
    {
      heading: "Imports that depend on the configuration",
      files: {
        "flake.config.ts": machine(
          `{ services: { web: { enable: true, admin: "ann@example.org" } } }`,
          `\nconst proxy = ▸defineModule({\n  key: "proxy",\n  imports: ((config: any) => (config.services.web.enable ? [web] : [])) as never,\n});\n`,
          "defineModule",
        ),
      },
      command: CONFIG,
    },
    {
      heading: "Imports made by a rule",
      files: {
        "flake.config.ts": machine(
          `{ services: { web: { enable: true, admin: "ann@example.org" } } }`,
          `\nconst proxy = defineModule({ key: "proxy" }, ({ config, define }) => {\n  if (config.services.web.enable) ▸define({ imports: [web] } as never);\n});\n`,
          "defineModule",
        ),
      },
      command: CONFIG,
    },
    {
      heading: "A disabled module that there is not",
      files: {
        "flake.config.ts": machine(`{ services: { web: { admin: "ann@example.org" } } }`).replace(
          "const machine = evaluateModules({\n",
          'const machine = ▸evaluateModules({\n  disabledModules: ["services.wbe"],\n',
        ),
      },
      command: CONFIG,
    },
    {
      heading: "A removed option",
      files: {
        "flake.config.ts": machine(
          `{ services: { web: { ▸threads: 4, admin: "ann@example.org" } } }`,
          `\nconst old = removedOption("services.web.threads", "The server has one thread for each processor now.");\n`,
          "removedOption",
        ).replace("[web]", "[web, old]"),
      },
      command: CONFIG,
    },
  ],
};
