export { ed25519, generateSecretKey } from "./ed25519.ts";
export { readSigningKeys } from "./signing-settings.ts";
export { readPublicKeys, readSecretKey, writeSecretKey } from "./key-files.ts";
