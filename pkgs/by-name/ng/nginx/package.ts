import { definePackage } from "#floe/package";
import { SOURCES } from "../../../sources.ts";

const CACHES = ["client-body", "proxy", "fastcgi", "uwsgi", "scgi"];

export default definePackage(({ stdenv, fetchUrl, zlib, libxcrypt, pcre2 }) =>
  stdenv({
    name: "nginx",
    version: SOURCES.nginx.version,
    summary: "Web server and reverse proxy",
    homepage: "https://nginx.org",
    license: "BSD-2-Clause",
    mainProgram: "nginx",
    source: fetchUrl(SOURCES.nginx),
    inputs: [zlib, libxcrypt, pcre2],
    configureFlags: [
      "--prefix=$out",
      "--sbin-path=$out/bin/nginx",
      "--conf-path=$out/conf/nginx.conf",
      "--with-http_v2_module",
      "--with-http_gzip_static_module",
      "--with-http_stub_status_module",
      "--with-threads",
      "--http-log-path=/var/log/nginx/access.log",
      "--error-log-path=/var/log/nginx/error.log",
      "--pid-path=/run/nginx/nginx.pid",
      "--lock-path=/run/nginx/nginx.lock",
      ...CACHES.map((cache) => `--http-${cache}-temp-path=/var/cache/nginx/${cache}`),
    ],
    configure: 'withFlags "$configureFlags" ./configure',
    install: `
      make install DESTDIR="$top/destination"
      mkdir -p "$out"
      cp -a "$top/destination$out/." "$out/"
    `,
    check: `
      nginx -v 2>&1 | grep -F "nginx/$version"
      printf 'error_log stderr; pid %s/pid; events {} http { access_log off; client_body_temp_path %s; proxy_temp_path %s; fastcgi_temp_path %s; uwsgi_temp_path %s; scgi_temp_path %s; server { listen 8080; } }' "$PWD" "$PWD" "$PWD" "$PWD" "$PWD" "$PWD" > nginx.conf
      nginx -t -e stderr -c "$PWD/nginx.conf"
    `,
  }),
);
