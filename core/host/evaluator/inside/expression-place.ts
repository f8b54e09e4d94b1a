/** The name of an expression of the command line, which lies in no file. */
export const EXPRESSION_PLACE = "/@expression";
