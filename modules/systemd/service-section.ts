import { derivation } from "#floe/derivation";
import { binPath } from "#floe/system";
import type { Builders } from "../builders-of.ts";
import type { SystemdService } from "./units.ts";
import { type UnitValue, formatAssignment } from "./unit-text.ts";

/** What making a script takes. */
export interface ServiceContext {
  readonly bash: { toString(): string };
  readonly coreutils: { toString(): string };
  readonly builders: Builders;
}

/** The `[Service]` section of a service's options. */
export function serviceSection(
  name: string,
  service: SystemdService,
  context: ServiceContext,
): Readonly<Record<string, UnitValue>> {
  const keys: Record<string, UnitValue> = {};
  if (service.exec !== null) keys["ExecStart"] = service.exec;
  if (service.script !== null) keys["ExecStart"] = makeServiceScript(name, service.script, context);
  const environment = Object.entries(service.environment).map(([key, value]) => formatAssignment(key, value));
  if (service.path.length > 0 && service.environment["PATH"] === undefined) {
    environment.push(formatAssignment("PATH", binPath([...service.path, context.coreutils])));
  }
  if (environment.length > 0) keys["Environment"] = environment;
  return { ...keys, ...service.serviceConfig };
}

function makeServiceScript(name: string, text: string, { bash, builders }: ServiceContext): string {
  const script = derivation({
    name: `service-${name.replace(/[^A-Za-z0-9+._?=-]/g, "-")}`,
    system: builders.platform,
    builder: `${builders.bash}/bin/bash`,
    args: ["-euc", BUILD],
    env: { text: `#!${bash}/bin/bash\nset -e\n${text.trimEnd()}\n`, chmod: `${builders.coreutils}/bin/chmod` },
  });
  return `${script}`;
}

const BUILD = `printf '%s' "$text" > "$out"; "$chmod" 0555 "$out"`;
