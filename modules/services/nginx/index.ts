import { defineModule } from "#floe/module";
import { writeText } from "../../write-text.ts";
import { formatNginx } from "./config-text.ts";
import { nginxOptions } from "./options.ts";

export default defineModule(nginxOptions, ({ cfg, pkgs, define, check }) => {
  if (!cfg.enable) return;
  const nginx = cfg.package ?? pkgs.nginx;
  const conf = writeText({ name: "nginx.conf", text: formatNginx(cfg, MIME_TYPES), pkgs });
  const defaults = Object.entries(cfg.virtualHosts)
    .filter(([, host]) => host.default)
    .map(([name]) => name);
  check(
    defaults.length <= 1,
    `Cannot choose the default virtual host: found ${defaults.join(", ")}, expected at most one`,
  );

  define({ users: { users: { nginx: { description: "nginx web server", group: "nginx" } }, groups: { nginx: {} } } });
  define({ environment: { etc: { "nginx/nginx.conf": { source: conf }, "nginx/mime.types": { text: mimeTypes() } } } });
  define({
    systemd: {
      services: {
        nginx: {
          description: "nginx web server",
          after: ["network.target"],
          wantedBy: ["multi-user.target"],
          // A new configuration needs no new process: connections live on.
          reloadTriggers: [conf],
          onChange: "restart",
          exec: `${nginx}/bin/nginx -c /etc/nginx/nginx.conf`,
          serviceConfig: {
            ExecReload: [
              `${nginx}/bin/nginx -c /etc/nginx/nginx.conf -t -q`,
              `${pkgs.coreutils}/bin/kill -HUP $MAINPID`,
            ],
            Restart: "always",
            RestartSec: "10s",
            RuntimeDirectory: "nginx",
            CacheDirectory: "nginx",
            LogsDirectory: "nginx",
          },
        },
      },
    },
  });
});

const MIME_TYPES = "/etc/nginx/mime.types";

const TYPES: Readonly<Record<string, string>> = {
  "text/html": "html htm",
  "text/css": "css",
  "text/plain": "txt",
  "text/xml": "xml",
  "application/javascript": "js mjs",
  "application/json": "json",
  "application/pdf": "pdf",
  "application/wasm": "wasm",
  "application/zip": "zip",
  "font/woff2": "woff2",
  "image/gif": "gif",
  "image/jpeg": "jpeg jpg",
  "image/png": "png",
  "image/svg+xml": "svg svgz",
  "image/webp": "webp",
  "image/x-icon": "ico",
  "video/mp4": "mp4",
};

function mimeTypes(): string {
  const lines = Object.entries(TYPES).map(([type, endings]) => `  ${type} ${endings};\n`);
  return `types {\n${lines.join("")}}\n`;
}
