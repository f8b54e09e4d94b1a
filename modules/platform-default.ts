import { withPriority } from "#floe/module";

/** The default of an option on one platform: it gives way to every definition, those that are `defaults` included. */
export function platformDefault<Value>(value: NoInfer<Value>): Value {
  return withPriority<Value>(1400, value);
}
