import { definePackage } from "#floe/package";
import { SOURCES } from "../../../sources.ts";

const CACHES = ["client-body", "proxy", "fastcgi", "uwsgi", "scgi"];

/**
 * Its configure script runs what it compiles. For another machine, what compiles counts as working, sizes are read from the program's
 * symbols, and bytes are in the order that all platforms have.
 */
const answerWithoutRunning = (processor: string): string => `
      sed -i 's|if /bin/sh -c $NGX_AUTOTEST |if : |' auto/feature
      sed -i 's|if $NGX_AUTOTEST |if : |' auto/endianness
      sed -i '
        s|^int main(void) {|char ngx_probe[sizeof($ngx_type)] = { 1 };\\n&|
        s|^    ngx_size=.*|    ngx_size=$($NM -S $NGX_AUTOTEST \\| sed -n "s/.* 0*\\\\([1-9]\\\\) D ngx_probe$/\\\\1/p")|
      ' auto/types/sizeof
      sed -i 's|^    NGX_MACHINE=.*|    NGX_MACHINE=${processor}|' configure
`;

export default definePackage(({ stdenv, fetchUrl, zlib, libxcrypt, pcre2, isCross, platform }) =>
  stdenv({
    name: "nginx",
    version: SOURCES.nginx.version,
    summary: "Web server and reverse proxy",
    homepage: "https://nginx.org",
    license: "BSD-2-Clause",
    mainProgram: "nginx",
    source: fetchUrl(SOURCES.nginx),
    inputs: [zlib, libxcrypt, pcre2],
    ...(isCross ? { postPatch: answerWithoutRunning(platform.processor) } : {}),
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
