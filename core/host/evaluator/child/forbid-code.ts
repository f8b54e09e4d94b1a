/**
 * Let no text become code in the realm outside, as in the one inside: should an object of it ever come into the hands of configuration, the
 * constructor of its constructor leads nowhere. V8 has a flag for this; with a flag that changes what V8 compiles Node compiles all of
 * its own modules anew, which takes a tenth of an evaluation's time.
 */
export function forbidCodeFromText(): void {
  const samples = [() => {}, async () => {}, function* () {}, async function* () {}];
  for (const sample of samples) {
    const prototype = Object.getPrototypeOf(sample) as object;
    fix(prototype, "constructor", refusing(prototype));
  }
  fix(globalThis, "Function", Function.prototype.constructor);
  fix(globalThis, "eval", refusing(undefined));
}

/** Says what V8 says. */
function refusing(prototype: object | undefined): Function {
  function refuse(): never {
    throw new EvalError("Code generation from strings disallowed for this context");
  }
  // What is a function of its kind stays one.
  refuse.prototype = prototype;
  return refuse;
}

function fix(target: object, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, writable: false, configurable: false, enumerable: false });
}
