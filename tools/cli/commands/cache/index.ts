import { buildCommand, buildRouteMap } from "@stricli/core";
import type { CliContext } from "../../context.ts";
import { parseCount, type StoreFlags, storeFlags } from "../../flags.ts";
import { type TransferFlags, transferFlags } from "../store/exchange.ts";

export interface ServeFlags extends StoreFlags {
  readonly port: number;
  readonly listen: string;
  readonly keyFile?: string;
  readonly compression: "none" | "zstd";
  readonly priority: number;
  readonly verbose: boolean;
}

export interface PushFlags extends TransferFlags {
  readonly keyFile?: string;
  readonly compression?: string;
  readonly compressionLevel?: number;
  readonly listings: boolean;
}

const keyFile = {
  kind: "parsed",
  parse: String,
  optional: true,
  placeholder: "FILE",
  brief: "Sign every object with this secret key",
} as const;
const switchOn = { kind: "boolean", default: false, withNegated: false } as const;

export const cacheCommands = buildRouteMap<string, CliContext>({
  routes: {
    serve: buildCommand<ServeFlags, [], CliContext>({
      loader: async () => (await import("./serve.ts")).default,
      parameters: {
        flags: {
          ...storeFlags,
          port: {
            kind: "parsed",
            parse: parseCount,
            default: "5000",
            placeholder: "N",
            brief: "Port; 0 takes a free one",
          },
          listen: {
            kind: "parsed",
            parse: String,
            default: "127.0.0.1",
            placeholder: "ADDRESS",
            brief: "Address to listen at; :: for everybody",
          },
          keyFile,
          compression: {
            kind: "enum",
            values: ["none", "zstd"],
            default: "none",
            brief:
              "Compress archives on their way; pays on slow networks, and rules out to go on with a broken transfer",
          },
          priority: {
            kind: "parsed",
            parse: parseCount,
            default: "30",
            placeholder: "N",
            brief: "Caches with a lower number are asked first",
          },
          verbose: { ...switchOn, brief: "Say each request" },
        },
      },
      docs: {
        brief: "Serve the store to other machines as a binary cache",
        fullDescription:
          "Serves until it is told to end, and finishes then what is under way. The address is printed first.",
      },
    }),
    push: buildCommand<PushFlags, [string, ...string[]], CliContext>({
      loader: async () => (await import("./push.ts")).default,
      parameters: {
        flags: {
          ...transferFlags,
          keyFile,
          compression: {
            kind: "parsed",
            parse: String,
            optional: true,
            placeholder: "NAME",
            brief: "zstd (when left out), none, xz, bzip2, gzip or br",
          },
          compressionLevel: {
            kind: "parsed",
            parse: parseCount,
            optional: true,
            placeholder: "N",
            brief: "How hard to compress",
          },
          listings: { ...switchOn, brief: "Write a listing of what is inside beside each object" },
        },
        positional: {
          kind: "array",
          minimum: 2,
          parameter: { brief: "The cache, then installables", placeholder: "URL-INSTALLABLE", parse: String },
        },
      },
      docs: {
        brief: "Write store objects into a binary cache: floe cache push URL INSTALLABLE…",
        fullDescription:
          "URL is file://…, https://… or s3://…; a place that is no cache yet becomes one. What is there already stays, so an interrupted push goes on where it ended.",
      },
    }),
  },
  docs: { brief: "Binary caches" },
});
