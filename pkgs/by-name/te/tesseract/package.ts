import { local } from "#floe/derivation";
import { defineBuildTool } from "#floe/package";

/** Reads pictures of screens for machine tests. WebAssembly, because Tesseract's own program needs forty libraries that nothing else here does. */
export default defineBuildTool(({ stdenv, fetchUrl, nodejs, bash }) =>
  stdenv({
    name: "tesseract",
    version: "7.0.0",
    summary: "Reads text in pictures",
    homepage: "https://github.com/naptha/tesseract.js-core",
    license: "Apache-2.0",
    platforms: ["x86_64-linux"],
    mainProgram: "tesseract",
    source: fetchUrl({
      url: "mirror://npm/tesseract.js-core/-/tesseract.js-core-7.0.0.tgz",
      hash: "sha512-WnNH518NzmbSq9zgTPeoF8c+xmilS8rFIl1YKbk/ptuuc7p6cLNELNuPAzcmsYw450ca6bLa8j3t0VAtq435Vw==",
    }),
    configure: ":",
    // The sandbox of a test has no /bin/sh.
    runtimeShell: `${bash}/bin/bash`,
    build: `
      tar -xzf ${fetchUrl({
        url: "mirror://npm/@tesseract.js-data/eng/-/eng-1.0.0.tgz",
        hash: "sha512-mbTumm6KQPUHyzTPQaF3ObXYnx0SqqfV2nabqFVQBwD6Kl7PhGSLSzOlfFTWy0P3BjghaSKA2W9GB19Jk+ZcTg==",
      })} --strip-components=1 package/4.0.0_best_int/eng.traineddata.gz
      gunzip 4.0.0_best_int/eng.traineddata.gz
      # Its package has no text of a licence; where the data comes from has the engine's.
      printf '%s\n' 'eng.traineddata, of https://github.com/tesseract-ocr/tessdata_best, is under the licence in the file LICENSE.' > NOTICE
    `,
    install: `
      mkdir -p "$out/lib/tesseract" "$out/bin" "$out/share/licenses/tesseract"
      install -m 444 LICENSE NOTICE "$out/share/licenses/tesseract"
      install -m 444 tesseract-core-simd-lstm.js tesseract-core-simd-lstm.wasm 4.0.0_best_int/eng.traineddata "$out/lib/tesseract"
      install -m 444 ${local("./tesseract.cjs")} "$out/lib/tesseract/tesseract.cjs"
      printf '#!%s\\nexec %s %s "$@"\\n' ${bash}/bin/bash ${nodejs}/bin/node "$out/lib/tesseract/tesseract.cjs" > "$out/bin/tesseract"
      chmod 555 "$out/bin/tesseract"
    `,
    check: `
      { printf 'P5\\n64 64\\n255\\n'; head -c 4096 /dev/zero; } > empty.pgm
      [ -z "$(tesseract empty.pgm - --psm 6 | tr -d ' \\n')" ]
      ! tesseract /nowhere - 2> words
      grep -F 'no such file' words
      grep -F 'Apache License' "$out/share/licenses/tesseract/LICENSE"
    `,
  }),
);
