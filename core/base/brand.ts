declare const brand: unique symbol;

/**
 * A `T` that one maker has checked. The mark exists for the compiler only: at run time the value is a plain `T`.
 *
 * @example type StorePath = Branded<string, "StorePath">
 */
export type Branded<T, B extends string> = T & { readonly [brand]: B };
