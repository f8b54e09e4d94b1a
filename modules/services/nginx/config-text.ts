import type { Location, Nginx, VirtualHost } from "./options.ts";

/** The text of nginx.conf. */
export function formatNginx(nginx: Nginx, mimeTypes: string): string {
  const hosts = Object.entries(nginx.virtualHosts).map(([name, host]) => formatHost(name, host, nginx.port));
  return `user nginx nginx;
worker_processes ${nginx.workerProcesses};
daemon off;
error_log stderr;
pid /run/nginx/nginx.pid;
${nginx.appendConfig}
events { worker_connections 512; }
http {
  include ${mimeTypes};
  default_type application/octet-stream;
  access_log off;
  sendfile on;
  tcp_nopush on;
  server_tokens off;
  client_body_temp_path /var/cache/nginx/client_body;
  proxy_temp_path /var/cache/nginx/proxy;
  fastcgi_temp_path /var/cache/nginx/fastcgi;
  uwsgi_temp_path /var/cache/nginx/uwsgi;
  scgi_temp_path /var/cache/nginx/scgi;
${indent(nginx.httpConfig)}${hosts.join("")}}
`;
}

function formatHost(name: string, host: VirtualHost, port: number): string {
  const listen = host.listen.length === 0 ? ["*", "[::]"].map((address) => ({ address, port })) : host.listen;
  const lines = [
    ...listen.map((one) => `listen ${one.address}:${one.port}${host.default ? " default_server" : ""};`),
    `server_name ${[host.serverName ?? name, ...host.serverAliases].join(" ")};`,
    ...files(host.root, host.index),
    ...Object.entries(host.locations).flatMap(([path, location]) => [
      `location ${path} {`,
      ...formatLocation(location).map((line) => `  ${line}`),
      "}",
    ]),
    ...text(host.extraConfig),
  ];
  return `  server {\n${lines.map((line) => `    ${line}\n`).join("")}  }\n`;
}

function formatLocation(location: Location): string[] {
  return [
    ...files(location.root, location.index),
    ...(location.alias === null ? [] : [`alias ${location.alias};`]),
    ...(location.tryFiles === null ? [] : [`try_files ${location.tryFiles};`]),
    ...(location.proxyPass === null ? [] : [`proxy_pass ${location.proxyPass};`]),
    ...(location.return === null ? [] : [`return ${location.return};`]),
    ...text(location.extraConfig),
  ];
}

function files(root: string | null, index: string | null): string[] {
  return [...(root === null ? [] : [`root ${root};`]), ...(index === null ? [] : [`index ${index};`])];
}

function text(lines: string): string[] {
  return lines === "" ? [] : lines.split("\n");
}

function indent(lines: string): string {
  return text(lines)
    .map((line) => `  ${line}\n`)
    .join("");
}
