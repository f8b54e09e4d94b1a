import { buildCommand } from "@stricli/core";
import type { CliContext } from "../../context.ts";
import { type StoreFlags, storeFlags } from "../../flags.ts";

export interface DaemonFlags extends StoreFlags {
  readonly stdio: boolean;
  readonly socket?: string;
  readonly trustedUsers?: string;
  readonly allowedUsers?: string;
  readonly connection: boolean;
}

export const daemonCommandSpec = buildCommand<DaemonFlags, [], CliContext>({
  loader: async () => (await import("./daemon.ts")).default,
  parameters: {
    flags: {
      ...storeFlags,
      stdio: {
        kind: "boolean",
        default: false,
        withNegated: false,
        brief: "Serve one client on standard input and output, who may do everything",
      },
      socket: {
        kind: "parsed",
        parse: String,
        optional: true,
        placeholder: "PATH",
        brief: "Listen here, not at daemon-socket/socket of the store's state",
      },
      trustedUsers: {
        kind: "parsed",
        parse: String,
        optional: true,
        placeholder: "LIST",
        brief: "Users, @groups or * that may do everything, between commas; else as the settings say, or root",
      },
      allowedUsers: {
        kind: "parsed",
        parse: String,
        optional: true,
        placeholder: "LIST",
        brief: "Users, @groups or * that are served at all, between commas; else as the settings say, or *",
      },
      connection: {
        kind: "boolean",
        default: false,
        withNegated: false,
        hidden: true,
        brief: "Serve the one client that the daemon hands over",
      },
    },
  },
  docs: {
    brief: "Serve the store to other programs, Nix among them",
    fullDescription:
      "Speak the protocol of Nix's daemon, on a socket until interrupted, or with --stdio on standard input and output " +
      "(a Nix on another machine: ssh-ng://HOST?remote-program=floe%20daemon).\n\n" +
      "The daemon of an ordinary user serves that user alone. One of root serves everybody; those who are not trusted can " +
      "bring in only what is content-addressed or signed by a trusted key. `trustedUsers` and `allowedUsers` in " +
      "/etc/floe/settings.json are lists of users, @groups or *.",
  },
});
