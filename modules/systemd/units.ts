import { type Read, type ValueOf, type Write, declare, defineModule, option } from "#floe/module";
import { type EtcEntry, escapeUnitPath, makeFileTree } from "#floe/system";
import { buildersOf } from "../builders-of.ts";
import { section, serviceOptions, unitOptions } from "./unit-options.ts";
import { type UnitFile, type UnitHead, renderUnit } from "./render-unit.ts";
import { serviceSection } from "./service-section.ts";

const services = option.submodule(serviceOptions);
const sockets = option.submodule({
  ...unitOptions,
  listenStreams: option.listOf(option.str(), { description: "`ListenStream`." }),
  socketConfig: section,
});
const timers = option.submodule({ ...unitOptions, timerConfig: section });
const targets = option.submodule(unitOptions);
const slices = option.submodule({ ...unitOptions, sliceConfig: section });
const paths = option.submodule({ ...unitOptions, pathConfig: section });
const mounts = option.submodule({
  ...unitOptions,
  what: option.str({ description: "The device." }),
  where: option.str({ description: "The mount point; the unit's name follows from it." }),
  type: option.nullOr(option.str()),
  options: option.listOf(option.str()),
  mountConfig: section,
});

const options = declare("systemd", {
  services: option.attrsOf(services, { description: "Services by name, without `.service`." }),
  sockets: option.attrsOf(sockets, { description: "Sockets by name, without `.socket`." }),
  timers: option.attrsOf(timers, { description: "Timers by name, without `.timer`." }),
  targets: option.attrsOf(targets, { description: "Targets by name, without `.target`." }),
  slices: option.attrsOf(slices, { description: "Slices by name, without `.slice`." }),
  paths: option.attrsOf(paths, { description: "Path watchers by name, without `.path`." }),
  mounts: option.listOf(mounts, { description: "Mount units." }),
  packageUnits: option.attrsOf(
    option.submodule({
      package: option.package({ description: "The package that has the unit in `lib/systemd/system`." }),
      wantedBy: option.listOf(option.str()),
    }),
    { description: "Units that packages bring, by name with suffix." },
  ),
  instances: option.attrsOf(option.submodule({ wantedBy: option.listOf(option.str()) }), {
    description: "Instances of template units to start, by full name: `serial-getty@ttyS0.service`.",
  }),
  maskedUnits: option.listOf(option.str(), { description: "Units, with their suffix, that cannot be started." }),
  defaultTarget: option.str({ default: "multi-user.target", description: "What a boot reaches." }),
});

export interface SystemdUnits extends Read<typeof options> {}
export interface SystemdUnitsDefs extends Write<typeof options> {}
export type SystemdService = ValueOf<typeof services>;

declare module "#floe/module" {
  interface SystemdConfig extends SystemdUnits {}
  interface SystemdDefs extends SystemdUnitsDefs {}
  interface Config {
    readonly systemd: SystemdConfig;
  }
  interface Defs {
    systemd?: SystemdDefs | undefined;
  }
}

export default defineModule(options, ({ cfg, pkgs, define, check }) => {
  const files: UnitFile[] = [];
  const add = <Unit extends UnitHead>(
    kind: string,
    all: { readonly [name: string]: Unit },
    own: (unit: Unit, name: string) => object,
  ) => {
    for (const [name, unit] of Object.entries(all)) {
      files.push(...renderUnit(`${name}.${kind}`, unit, own(unit, name) as never));
    }
  };
  const { bash, coreutils } = pkgs;
  const builders = buildersOf(pkgs);
  const context = { bash, coreutils, builders };
  add("service", cfg.services, (unit, name) => ({ Service: serviceSection(name, unit, context) }));
  add("socket", cfg.sockets, (unit) => ({ Socket: { ...listen(unit.listenStreams), ...unit.socketConfig } }));
  add("timer", cfg.timers, (unit) => ({ Timer: unit.timerConfig }));
  add("target", cfg.targets, () => ({}));
  add("slice", cfg.slices, (unit) => ({ Slice: unit.sliceConfig }));
  add("path", cfg.paths, (unit) => ({ Path: unit.pathConfig }));
  add("mount", Object.fromEntries(cfg.mounts.map((unit) => [escapeUnitPath(unit.where), unit])), (unit) => ({
    Mount: {
      What: unit.what,
      Where: unit.where,
      ...(unit.type === null ? {} : { Type: unit.type }),
      ...(unit.options.length === 0 ? {} : { Options: unit.options.join(",") }),
      ...unit.mountConfig,
    },
  }));
  for (const [name, unit] of Object.entries(cfg.packageUnits)) {
    const path = `${unit.package}/lib/systemd/system/${name}`;
    files.push({ path: name, content: { kind: "source", path } });
    for (const target of unit.wantedBy)
      files.push({ path: `${target}.wants/${name}`, content: { kind: "source", path: `../${name}` } });
  }
  for (const [name, { wantedBy }] of Object.entries(cfg.instances)) {
    const template = name.replace(/@[^.]*\./, "@.");
    for (const target of wantedBy)
      files.push({ path: `${target}.wants/${name}`, content: { kind: "source", path: `../${template}` } });
  }
  const isOwn = files.some(({ path }) => path === cfg.defaultTarget);
  const target = isOwn ? cfg.defaultTarget : `${pkgs.systemd}/lib/systemd/system/${cfg.defaultTarget}`;
  files.push({ path: "default.target", content: { kind: "source", path: target } });

  const entries: Record<string, EtcEntry> = {};
  for (const { path, content } of files) {
    const known = entries[path]?.content;
    check(
      known === undefined || JSON.stringify(known) === JSON.stringify(content),
      `Cannot make unit "${path}": found two of them, expected one (a drop-in for a package's unit has "overrides: true")`,
    );
    entries[path] = { content, mode: "symlink", user: "root", group: "root" };
  }
  // A mask is said on purpose, and wins.
  for (const name of cfg.maskedUnits) {
    entries[name] = { content: { kind: "source", path: "/dev/null" }, mode: "symlink", user: "root", group: "root" };
  }
  const tree = makeFileTree({ ...builders, name: "system-units", entries });
  define({ environment: { etc: { "systemd/system": { source: tree } } } });
});

function listen(streams: readonly string[]): Readonly<Record<string, readonly string[]>> {
  return streams.length === 0 ? {} : { ListenStream: streams };
}
