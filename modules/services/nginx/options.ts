import { type Read, type ValueOf, type Write, declare, option } from "#floe/module";

const directive = option.lines({ description: "Further directives, as nginx reads them." });

const location = option.submodule({
  root: option.nullOr(option.path(), { description: "The folder whose files are served." }),
  alias: option.nullOr(option.path(), { description: "Like `root`, without the location's own path." }),
  index: option.nullOr(option.str(), { description: "The file served for a folder." }),
  tryFiles: option.nullOr(option.str(), { description: "`try_files`." }),
  proxyPass: option.nullOr(option.str(), { description: "The URL that requests are passed to." }),
  return: option.nullOr(option.str(), {
    description: "A status and a text or URL, as `return` has it.",
    example: '200 "hello\\n"',
  }),
  extraConfig: directive,
});

const virtualHost = option.submodule({
  serverName: option.nullOr(option.str(), { description: "Default: the name of the virtual host." }),
  serverAliases: option.listOf(option.str(), { description: "Further names." }),
  default: option.bool({ default: false, description: "Whether it answers requests for unknown names." }),
  listen: option.listOf(
    option.submodule({ address: option.str({ default: "*" }), port: option.port({ default: 80 }) }),
    {
      description: "Default: the server's port on all addresses.",
    },
  ),
  root: option.nullOr(option.path(), { description: "The folder whose files are served." }),
  index: option.nullOr(option.str(), { description: "The file served for a folder." }),
  locations: option.attrsOf(location, { description: "What happens below a path, such as `/` or `= /status`." }),
  extraConfig: directive,
});

export const nginxOptions = declare("services.nginx", {
  enable: option.bool({ default: false, description: "Run the nginx web server." }),
  package: option.nullOr(option.package(), { description: "Default: `pkgs.nginx`." }),
  port: option.port({ default: 80, description: "The port of virtual hosts that do not choose one." }),
  workerProcesses: option.oneOf([option.int({ min: 1 }), option.enumeration(["auto"])], { default: "auto" }),
  virtualHosts: option.attrsOf(virtualHost, { description: "Virtual hosts by name." }),
  appendConfig: option.lines({ description: "Directives of the outermost level." }),
  httpConfig: option.lines({ description: "Directives of the `http` block." }),
});

export type VirtualHost = ValueOf<typeof virtualHost>;
export type Location = ValueOf<typeof location>;

export interface Nginx extends Read<typeof nginxOptions> {}
export interface NginxDefs extends Write<typeof nginxOptions> {}

declare module "#floe/module" {
  interface ServicesConfig {
    readonly nginx: Nginx;
  }
  interface ServicesDefs {
    nginx?: NginxDefs | undefined;
  }
}
