/**
 * Work of the kind that evaluations do, by the engine alone: packages, modules and a system that are made up here. It is for the machine that runs
 * the code, which learns how it is used, and nothing of it stays: what an evaluation makes lies in tables that the next one begins anew.
 */
import {
  beginEvaluation,
  derivation,
  type DerivationValue,
  type SourceHost,
  toFile,
} from "../../../derivation/index.ts";
import {
  type Defs,
  before,
  declare,
  defaults,
  defineModule,
  evaluateModules,
  force,
  type Module,
  option,
} from "../../../module/index.ts";
import {
  definePackage,
  fetchUrl,
  makePackage,
  makePackageSet,
  type Package,
  type Pkgs,
} from "../../../package/index.ts";
import { makeSystem } from "../../../system/index.ts";
import { Converter } from "./to-json.ts";

const noSources: SourceHost = {
  hashTree() {
    throw new Error("Nothing here has a source");
  },
};

/** Once; it does the same each time. */
export function warmUp(): void {
  beginEvaluation(noSources);
  const pkgs = makeUpPackages();
  const member = (name: string): Package => (pkgs as unknown as Readonly<Record<string, Package>>)[name] as Package;
  const system = makeSystem({
    name: "warm",
    pkgs: { coreutils: member("p1"), platform: { system: "x86_64-linux" } },
    modules: [files, units, ...services, base(member("p0"))],
    config: [
      { warm: { units: { s0: { description: force("first"), environment: { HOME: "/" } } } } } as unknown as Defs,
      { warm: { services: { s1: { enable: true } } } } as unknown as Defs,
    ],
  });
  const many = evaluateModules({ modules: makeUpModules(MODULES) }).config;
  const converter = new Converter();
  JSON.stringify([
    converter.convert(system, ["systems", "warm"]),
    converter.convert(member("p13"), ["packages"]),
    converter.convert({ units: system.config }, []),
    converter.convert(many, []),
    converter.context(),
  ]);
}

const COUNT = 14;
const MODULES = 100;
const SCRIPT = Array.from({ length: 24 }, (_, i) => `step_${i}() { make -j "$cores" "target-${i}" SHELL="$SHELL"; }\n`);

function makeUpPackages(): Pkgs {
  const names = Array.from({ length: COUNT }, (_, i) => `p${i}`);
  const definitions = names.map((name, i) => [
    name,
    definePackage((scope) => {
      const set = scope as unknown as Readonly<Record<string, Package>>;
      const inputs = names.slice(Math.max(0, i - 3), i).map((other) => set[other] as Package);
      return makeUpPackage(name, inputs, i);
    }),
  ]);
  return makePackageSet({ definitions: Object.fromEntries(definitions), tools: () => ({ fetchUrl }) });
}

function makeUpPackage(name: string, inputs: readonly Package[], index: number): Package {
  const outputs = index % 4 === 0 ? ["out", "dev"] : undefined;
  return makePackage({
    attributes: {
      name,
      version: `1.${index}`,
      summary: "A package",
      homepage: "https://floe.example",
      license: "MIT",
      inputs,
    },
    derive: (attributes) => ({
      name: `${attributes.name}-${attributes.version}`,
      system: "x86_64-linux",
      builder: inputs[0] === undefined ? "/bin/sh" : `${inputs[0]}/bin/bash`,
      args: ["-e", toFile("builder.sh", SCRIPT.slice(0, 4 + (index % 20)).join(""))],
      ...(outputs === undefined ? {} : { outputs }),
      env: {
        src: fetchUrl({ url: `https://floe.example/${name}.tar.xz`, hash: HASH }),
        inputs: attributes.inputs,
        flags: ["--prefix=$out", `--with-cc=${inputs[1] ?? "cc"}`, "--disable-static"],
        setup: SCRIPT.join(`# ${inputs[2] ?? name} says "so"\n`),
        PATH: inputs.map((input) => `${input}/bin`).join(":"),
        doCheck: index % 2 === 0,
        cores: index,
        gone: undefined,
      },
    }),
  });
}

const HASH = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

const unitValue = option.oneOf([
  option.listOf(option.oneOf([option.str(), option.int(), option.bool(), option.path()])),
  option.bool(),
  option.int(),
  option.str(),
]);
const list = () => option.listOf(option.str());

const units = defineModule(
  declare("warm", {
    units: option.attrsOf(
      option.submodule({
        enable: option.bool({ default: true }),
        description: option.nullOr(option.str()),
        wantedBy: list(),
        requires: list(),
        after: list(),
        unitConfig: option.attrsOf(unitValue),
        serviceConfig: option.attrsOf(unitValue),
        environment: option.attrsOf(option.oneOf([option.str(), option.path()])),
        path: option.listOf(option.package()),
        script: option.nullOr(option.lines()),
        onChange: option.enumeration(["stop-start", "restart", "ignore"], { default: "restart" }),
      }),
    ),
    services: option.attrsOf(
      option.submodule({ enable: option.bool({ default: false }), port: option.port({ default: 80 }) }),
    ),
    users: option.attrsOf(
      option.submodule(
        { name: option.str(), uid: option.nullOr(option.int({ min: 0 })), groups: list(), shell: option.path() },
        { rule: ({ name, define }) => define({ name: defaults(name), shell: defaults("/bin/sh") }) },
      ),
    ),
    packages: option.listOf(option.package()),
  }),
  ({ cfg, define }) => {
    for (const [name, unit] of Object.entries(cfg.units)) {
      if (!unit.enable) continue;
      const lines = Object.entries(unit.serviceConfig).map(([key, value]) => `${key}=${[value].flat().join(" ")}`);
      const text = [
        `Description=${unit.description ?? name}`,
        ...unit.after.map((other) => `After=${other}`),
        ...lines,
      ];
      define(says({
        files: { [`units/${name}`]: { text: `${text.join("\n")}\n`, source: toFile(name, text.join("\n")) } },
      }));
    }
    define(says({ files: { packages: { text: cfg.packages.map((each) => `${each}\n`).join("") } } }));
  },
);

const files = defineModule(
  declare("files", {
    all: option.attrsOf(
      option.submodule({
        text: option.nullOr(option.lines()),
        source: option.nullOr(option.path()),
        mode: option.strMatching(/0[0-7]{3}/, { default: "0644" }),
      }),
    ),
  }),
  ({ cfg, define }) => {
    const entries = Object.entries(cfg.all).map(([name, { text, source, mode }]) => ({ name, text, source, mode }));
    const tree = derivation({
      name: "files",
      system: "x86_64-linux",
      builder: "/bin/sh",
      structuredAttrs: { entries, count: entries.length },
    });
    define({ system: { build: { etc: tree, etcEntries: entries.map(({ name, mode }) => `${name} ${mode}`) } } });
  },
);

const services: readonly Module[] = Array.from({ length: 6 }, (_, i) =>
  defineModule({ key: `service ${i}` }, ({ config, define }) => {
    const name = `s${i}`;
    const { services: all = {} } = (config as unknown as { warm: { services?: Services } }).warm;
    define(says({
      users: { [name]: { uid: 100 + i, groups: ["all", `group-${i % 3}`] } },
      units: {
        [name]: {
          description: defaults(`Service ${i}`),
          after: before([`s${i + 1}.service`]),
          wantedBy: ["multi-user.target"],
          serviceConfig: { ExecStart: `/bin/${name}`, Restart: "always", RestartSec: i, Limits: ["a", i, true] },
          script: i % 2 === 0 ? `exec ${name}\n` : null,
        },
      },
    }));
    if (all[name]?.enable === true) define(says({ units: { [name]: { unitConfig: { Port: all[name].port } } } }));
  }),
);

type Services = Readonly<Record<string, { readonly enable: boolean; readonly port: number }>>;

function base(shell: Package | DerivationValue): Module {
  return defineModule({ key: "base" }, ({ define }) => {
    define(says({ packages: [shell] }));
    define({
      system: {
        build: {
          kernel: `${shell}/kernel`,
          initrd: "/initrd",
          kernelParams: ["quiet"],
          etcLinks: "/links",
          sw: `${shell}`,
          init: "/init",
          manager: "/manager",
          shell: `${shell}`,
          path: [`${shell}`],
        },
        activationScripts: {
          first: { text: "echo first" },
          second: { text: `${shell}/bin/true`, deps: ["first"], supportsDryActivation: true },
        },
      },
    });
  });
}

/** Definitions of options that no namespace has a type for. */
function says({ files: all, ...warm }: Readonly<Record<string, unknown>>): Defs {
  return { warm, ...(all === undefined ? {} : { files: { all } }) } as unknown as Defs;
}

const OPTIONS = 20;
const READS = 5;

/** Modules of which each declares options of its own and reads some of those before it: what most modules of a large configuration do. */
function makeUpModules(count: number): Module[] {
  return Array.from({ length: count }, (_, i) => {
    const names = Array.from({ length: OPTIONS }, (_, j) => [`o${j}`, option.int({ default: j })] as const);
    return defineModule(declare(`plain${i}`, Object.fromEntries(names)), ({ config, define }) => {
      const all = config as unknown as Readonly<Record<string, Readonly<Record<string, number>>>>;
      const reads = Array.from({ length: READS }, (_, j) => {
        const read = all[`plain${(i * 7 + j * 31) % Math.max(1, i)}`]?.[`o${10 + j}`] ?? 0;
        return [`o${10 + j}`, i === 0 ? j : read + 1] as const;
      });
      define({ [`plain${i}`]: { o0: i, ...Object.fromEntries(reads) } } as unknown as Defs);
    });
  });
}
