/** The name of an expression of the command line, which lies in no file. */
export const EXPRESSION_PLACE = "/@expression";
export const EXPRESSION_START = { file: EXPRESSION_PLACE, line: 1, column: 1 };

/** Outputs that an expression may call by their names; `outputs` and `self` have them all. */
export const EXPRESSION_OUTPUTS = [
  "packages",
  "systems",
  "homes",
  "vmTests",
  "checks",
  "apps",
  "devShells",
  "modules",
  "overlays",
  "templates",
];
