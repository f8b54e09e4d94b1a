import { type Read, type Write, declare, defaults, defineModule, option } from "#floe/module";
import { SYSTEM_GROUPS, SYSTEM_USERS } from "./system-ids.ts";
import { USERS_SNIPPET } from "./apply-users.ts";

const NAME = { pattern: /[a-z_][a-z0-9_-]{0,30}/, shape: "a user or group name" } as const;

const options = declare("users", {
  mutableUsers: option.bool({
    default: true,
    description:
      "Whether users and passwords made by hand on the machine stay. When false, each activation makes the files anew.",
  }),
  users: option.attrsOf(
    option.submodule({
      uid: option.nullOr(option.int({ min: 0, max: 65534 }), {
        description: "Default: the next free one, kept for ever.",
      }),
      isNormalUser: option.bool({
        default: false,
        description: "A person: an id from 1000, a home, and the group `users`.",
      }),
      group: option.nullOr(option.str(NAME), {
        description: "Default: `users` for a person, otherwise one with the user's name.",
      }),
      extraGroups: option.listOf(option.str(NAME)),
      description: option.str({ default: "", pattern: /[^:\t\n]*/, shape: "text without colons and tabs" }),
      home: option.nullOr(option.str({ pattern: /\/[^:\t\n]*/, shape: "an absolute path" }), {
        description: "Default: /home/NAME for a person, otherwise /var/empty.",
      }),
      shell: option.nullOr(option.path(), { description: "Default: bash for a person, otherwise nologin." }),
      hashedPassword: option.nullOr(option.str({ pattern: /[^:\t\n]*/, shape: "a hash as crypt(5) writes it" }), {
        description: 'The hash, readable by everybody in the store; `""` needs no password. Default: no password fits.',
      }),
      hashedPasswordFile: option.nullOr(option.str({ pattern: /\/[^\t\n]*/, shape: "an absolute path" }), {
        description:
          "A file on the machine with the hash. While it cannot be read, activation fails and the account has no password.",
      }),
    }),
    { description: "Users by name." },
  ),
  groups: option.attrsOf(
    option.submodule({
      gid: option.nullOr(option.int({ min: 0, max: 65534 }), {
        description: "Default: the next free one, kept for ever.",
      }),
      members: option.listOf(option.str(NAME)),
    }),
    { description: "Groups by name." },
  ),
});

export interface Users extends Read<typeof options> {}
export interface UsersDefs extends Write<typeof options> {}

declare module "#floe/module" {
  interface Config {
    readonly users: Users;
  }
  interface Defs {
    users?: UsersDefs | undefined;
  }
}

export default defineModule(options, ({ cfg, pkgs, define, check }) => {
  define({ users: { users: SYSTEM_USERS, groups: SYSTEM_GROUPS } });
  define({ users: { users: { root: { shell: defaults(`${pkgs.bash}/bin/bash`), home: defaults("/root") } } } });

  const users = Object.entries(cfg.users).map(([name, user]) => ({
    name,
    ...user,
    group: user.group ?? (user.isNormalUser ? "users" : name),
    home: user.home ?? (user.isNormalUser ? `/home/${name}` : "/var/empty"),
    shell: user.shell ?? (user.isNormalUser ? "/run/current-system/sw/bin/bash" : `${pkgs["util-linux"]}/bin/nologin`),
  }));
  const members = new Map(Object.entries(cfg.groups).map(([name, group]) => [name, new Set(group.members)]));
  for (const { name, group, extraGroups, hashedPassword, hashedPasswordFile } of users) {
    // A system user has a group of its own name, unless it says otherwise.
    if (group === name) define({ users: { groups: { [name]: {} } } });
    else check(members.has(group), `Cannot make user "${name}": found the group "${group}", expected a declared one`);
    for (const extra of extraGroups) {
      check(members.has(extra), `Cannot add user "${name}" to group "${extra}": expected a declared group`);
      members.get(extra)?.add(name);
    }
    check(
      hashedPassword === null || hashedPasswordFile === null,
      `Cannot choose the password of user "${name}": found both hashedPassword and hashedPasswordFile, expected one`,
    );
  }
  checkUnique(
    "uid",
    Object.entries(cfg.users).map(([name, { uid }]) => [name, uid]),
    check,
  );
  checkUnique(
    "gid",
    Object.entries(cfg.groups).map(([name, { gid }]) => [name, gid]),
    check,
  );

  // Empty fields would be lost when bash splits at tabs, hence the dash.
  const row = (...fields: readonly (string | number)[]) =>
    `${fields.map((field) => (field === "" ? "-" : field)).join("\t")}\n`;
  const groupRows = Object.entries(cfg.groups).map(([name, { gid }]) =>
    row("group", name, gid ?? "-", [...(members.get(name) ?? [])].sort().join(",")),
  );
  const userRows = users.map(
    ({ name, uid, isNormalUser, group, home, shell, description, hashedPassword, hashedPasswordFile }) =>
      row(
        "user",
        name,
        uid ?? "-",
        group,
        home,
        shell,
        isNormalUser ? "normal" : "system",
        hashedPasswordFile === null
          ? hashedPassword === null
            ? "locked"
            : `hash:${hashedPassword}`
          : `file:${hashedPasswordFile}`,
        description,
      ),
  );
  // Written into the script: what is applied is what this very generation says.
  const spec = `mutable\t${cfg.mutableUsers ? 1 : 0}\n${groupRows.join("")}${userRows.join("")}`;
  define({
    system: {
      activationScripts: {
        users: { deps: ["folders"], text: `users_spec='${spec.replaceAll("'", `'\\''`)}'\n${USERS_SNIPPET}` },
      },
    },
  });
});

function checkUnique(
  what: string,
  ids: readonly (readonly [string, number | null])[],
  check: (holds: boolean, message: string) => void,
): void {
  const owners = new Map<number, string>();
  for (const [name, id] of ids) {
    if (id === null) continue;
    const owner = owners.get(id);
    check(
      owner === undefined,
      `Cannot give ${what} ${id} to "${name}": found that "${owner}" has it, expected a free one`,
    );
    owners.set(id, name);
  }
}
