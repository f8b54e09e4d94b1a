import { fromUtf8, hashBytes, utf8 } from "../../../core/base/index.ts";
import { ed25519 } from "../../../core/host/signing/index.ts";
import {
  formatNarInfo,
  formatRealisation,
  formatRegistration,
  isTrusted,
  makeRealisationId,
  parseCacheInfo,
  parseNarInfo,
  parsePublicKey,
  parseRealisation,
  parseRegistrations,
} from "../../../core/store/index.ts";
import { sampleInfo, sampleStorePath, sampleStorePaths, words } from "../samples.ts";
import { expectSame, type Target } from "../target.ts";

const TRUSTED = [parsePublicKey(`key-1:${"A".repeat(43)}=`)];

/** What caches say of objects: read, judged and written again. */
export const narInfoTarget: Target = {
  sample: (random) =>
    utf8(
      formatNarInfo({
        ...sampleInfo(random),
        url: "nar/x.nar.xz",
        compression: random.pick(["xz", "none"]),
        fileSize: 1,
      }),
    ),
  words: words(
    ...["StorePath: ", "URL: ", "NarHash: ", "NarSize: ", "References: ", "Sig: ", "CA: ", "Deriver: ", "\n", "\r\n"],
    ...[
      "sha256:",
      "sha256-",
      "text:sha256:",
      "fixed:r:sha1:",
      "-1",
      "1e9",
      "18446744073709551616",
      "unknown-deriver",
      "/",
    ],
  ),
  check(input) {
    const text = fromUtf8(input);
    parseCacheInfo(text.replaceAll("Priority", ""));
    const info = parseNarInfo(text);
    const written = formatNarInfo(info);
    expectSame(formatNarInfo(parseNarInfo(written)), written, "a narinfo written, read and written");
    isTrusted(info, TRUSTED, ed25519);
  },
};

/** What became of outputs whose paths were not known: read and written again. */
export const realisationTarget: Target = {
  sample(random) {
    const id = (): string =>
      makeRealisationId(hashBytes("sha256", random.bytes(2)).digest, random.pick(["out", "dev"]));
    return utf8(
      formatRealisation({
        id: id(),
        outPath: sampleStorePath(random),
        dependentRealisations: new Map(sampleStorePaths(random).map((path) => [id(), path])),
        signatures: random.chance(2) ? [] : ["key:AAAA"],
      }),
    );
  },
  words: words("{", "}", "[", "]", '"id"', '"outPath"', "null", "1e999", "\\u0000", '"__proto__"', "!", "sha256:"),
  check(input) {
    const written = formatRealisation(parseRealisation(fromUtf8(input)));
    expectSame(formatRealisation(parseRealisation(written)), written, "a realisation written, read and written");
  },
};

/** What `nix-store --dump-db` prints: read and written again. */
export const registrationTarget: Target = {
  sample(random) {
    const infos = Array.from({ length: 1 + random.size(3) }, () => sampleInfo(random));
    return utf8(
      infos
        .map(({ narHash, narSize, ...rest }) => formatRegistration({ ...rest, nar: { hash: narHash, size: narSize } }))
        .join(""),
    );
  },
  words: words("\n", "\n\n", "0\n", "9007199254740993\n", "-1\n", "99999999\n", "/nix/store/"),
  check(input, random) {
    const hashGiven = !random.chance(4);
    const read = [...parseRegistrations(fromUtf8(input).split("\n"), { hashGiven })];
    const written = read.map(formatRegistration).join("");
    const again = [...parseRegistrations(written.split("\n"), { hashGiven })];
    expectSame(again.map(formatRegistration).join(""), written, "registrations written, read and written");
  },
};
