import { option } from "#floe/module";

/** A value in a unit file: lists repeat their key. */
const unitValue = option.oneOf([
  option.listOf(option.oneOf([option.str(), option.int(), option.bool(), option.path()])),
  option.bool(),
  option.int(),
  option.str(),
  option.path(),
]);

/** A section of a unit file as it is, for everything that has no option of its own. */
export const section = option.attrsOf(unitValue);

const units = () => option.listOf(option.str());

/** What a switch does with a running unit that has changed. */
export const onChange = option.enumeration(["stop-start", "restart", "reload", "ignore"], {
  default: "stop-start",
  description:
    "`stop-start`: stop before activation and start after it, so that new code never sees the old /etc; `restart` and `reload`: after activation; `ignore`: the running unit stays as it is.",
});

/** Options that units of every kind have. */
export const unitOptions = {
  enable: option.bool({ default: true, description: "When false, the unit is masked." }),
  description: option.nullOr(option.str()),
  documentation: units(),
  wantedBy: units(),
  requiredBy: units(),
  aliases: units(),
  requires: units(),
  requisite: units(),
  wants: units(),
  bindsTo: units(),
  partOf: units(),
  conflicts: units(),
  before: units(),
  after: units(),
  onFailure: units(),
  unitConfig: section,
  onChange,
  restartTriggers: option.listOf(option.path(), {
    description: "The unit counts as changed when one of these paths changes.",
  }),
  reloadTriggers: option.listOf(option.path(), {
    description: "A running unit is reloaded when one of these paths changes.",
  }),
  overrides: option.bool({
    default: false,
    description: "Whether this is a drop-in for a unit that a package brings, instead of a unit of its own.",
  }),
} as const;

/** Options of services beyond those of all units. */
export const serviceOptions = {
  ...unitOptions,
  exec: option.nullOr(option.str(), { description: "The command line of the main process: `ExecStart`." }),
  script: option.nullOr(option.lines(), { description: "Bash to run as the main process, instead of `exec`." }),
  environment: option.attrsOf(option.oneOf([option.str(), option.path()]), { description: "Environment variables." }),
  path: option.listOf(option.package(), { description: "Packages whose programs are on the service's PATH." }),
  serviceConfig: section,
} as const;
