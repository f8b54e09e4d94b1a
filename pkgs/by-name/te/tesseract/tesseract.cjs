/**
 * Reads a picture, called as Tesseract's own program is: `tesseract PICTURE - [--psm N]`. Prints the text.
 *
 * Beside it lie the engine, compiled to WebAssembly, and `eng.traineddata`.
 */
const { readFileSync, writeSync } = require("node:fs");
const { join } = require("node:path");
const { parseArgs } = require("node:util");
const makeEngine = require("./tesseract-core-simd-lstm.js");

/** How the picture is taken apart. Source: tesseract(1); 3: find blocks of text. */
const FIND_BLOCKS = "3";
/** The engine by neural networks, which is the only one that is compiled in. Source: tesseract(1), `--oem`. */
const LSTM_ONLY = 1;
const PLACE = "/input";

function fail(why) {
  writeSync(2, `tesseract: ${why}\n`);
  process.exit(1);
}

async function main() {
  const { values, positionals } = parseArgs({
    options: { psm: { type: "string", default: FIND_BLOCKS } },
    allowPositionals: true,
  });
  const [picture, to] = positionals;
  if (picture === undefined || to !== "-") return fail("expected a picture and -");
  const engine = await makeEngine({ print: () => {}, printErr: () => {} });
  engine.FS.writeFile("eng.traineddata", readFileSync(join(__dirname, "eng.traineddata")));
  const api = new engine.TessBaseAPI();
  if (api.Init(null, "eng", LSTM_ONLY) !== 0) return fail("the engine does not start");
  api.SetVariable("tessedit_pageseg_mode", values.psm);
  engine.FS.writeFile(PLACE, readFileSync(picture));
  if (api.SetImageFile(1, 0) === 1) return fail(`${picture} is no picture`);
  api.Recognize(null);
  writeSync(1, api.GetUTF8Text());
}

main().catch((error) => fail(error.message));
