import { definePackage } from "#floe/package";
import { SOURCES } from "../../../sources.ts";

/** What configure finds out by running programs, where it can. */
const LINUX_ANSWERS = [
  "bash_cv_getcwd_malloc=yes",
  "bash_cv_job_control_missing=present",
  "bash_cv_sys_named_pipes=present",
  "bash_cv_func_sigsetjmp=present",
  "bash_cv_printf_a_format=yes",
  "bash_cv_dev_fd=standard",
  "bash_cv_dev_stdin=present",
];

export default definePackage(({ autotools, fetchUrl, isCross }) =>
  autotools({
    name: "bash",
    version: SOURCES.bash.version,
    summary: "GNU Bourne-Again Shell",
    homepage: "https://www.gnu.org/software/bash/",
    license: "GPL-3.0-or-later",
    mainProgram: "bash",
    source: fetchUrl(SOURCES.bash),
    // Without a PATH of its own a shell would search places that machines do not have.
    postPatch: `
      for name in DEFAULT_PATH_VALUE STANDARD_UTILS_PATH; do
        printf '#undef %s\\n#define %s "/run/current-system/sw/bin"\\n' $name $name >> config-top.h
      done
    `,
    configureFlags: [
      "--without-bash-malloc",
      "--disable-nls",
      "--without-curses",
      "--disable-rpath",
      "bash_cv_termcap_lib=gnutermcap",
      ...(isCross ? LINUX_ANSWERS : []),
    ],
    env: { CFLAGS: "-O2 -g0 -std=gnu17" },
    // Parts for building loadable builtins record the toolchain.
    postInstall: `
      ln -s bash "$out/bin/sh"
      rm -r "$out/bin/bashbug" "$out/lib" "$out/include"
    `,
    check: 'bash --version | grep -F "$version"',
  }),
);
