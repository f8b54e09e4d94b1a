import { openStoreUrl } from "../index.ts";

/** Opens the store that `auto` means here, adds a text, and prints what the store is. */
using store = await openStoreUrl("auto");
const path = await store.addText("automatic", "text", []);
const { root } = store as { readonly root?: string };
console.log(JSON.stringify({ kind: store.constructor.name, root, isValid: await store.isValid(path) }));
