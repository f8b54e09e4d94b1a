/**
 * SPDX identifiers of licences and exceptions that packages may name: the common part of the list.
 *
 * Source: SPDX License List 3.24.
 */
export const LICENSES: ReadonlySet<string> = new Set(
  `0BSD AGPL-3.0-only AGPL-3.0-or-later Apache-2.0 Artistic-1.0 Artistic-2.0 BSD-1-Clause BSD-2-Clause BSD-2-Clause-Patent
  BSD-3-Clause BSD-4-Clause BSD-Source-Code BSL-1.0 BlueOak-1.0.0 CC-BY-3.0 CC-BY-4.0 CC-BY-SA-4.0 CC0-1.0 CDDL-1.0 CPL-1.0
  EPL-1.0 EPL-2.0 EUPL-1.2 FSFAP FSFUL FSFULLR FTL GFDL-1.3-only GFDL-1.3-or-later GPL-1.0-only GPL-1.0-or-later GPL-2.0-only
  GPL-2.0-or-later GPL-3.0-only GPL-3.0-or-later HPND ICU IJG ISC LGPL-2.0-only LGPL-2.0-or-later LGPL-2.1-only
  LGPL-2.1-or-later LGPL-3.0-only LGPL-3.0-or-later Libpng MIT MIT-0 MIT-CMU MPL-1.1 MPL-2.0 NCSA OFL-1.1 OLDAP-2.8 OpenSSL
  PSF-2.0 PostgreSQL Python-2.0 Ruby SMLNJ TCL Unicode-3.0 Unicode-DFS-2016 Unlicense Vim W3C WTFPL X11 ZPL-2.1 Zlib
  blessing bzip2-1.0.6 curl zlib-acknowledgement
  AFL-2.1 Autoconf-exception-3.0 Bison-exception-2.2 Classpath-exception-2.0 GCC-exception-3.1 LLVM-exception
  Linux-syscall-note OpenSSL-exception PCRE2-exception`.split(/\s+/),
);
