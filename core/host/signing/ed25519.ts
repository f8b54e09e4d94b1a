import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from "node:crypto";
import { checkKeyName, type PublicKey, type SecretKey, type SignatureScheme } from "../../store/index.ts";

const SEED_BYTES = 32;

/** What precedes the bare 32 bytes in the standard containers of ed25519 keys. Source: RFC 8410. */
const PKCS8_HEAD = Buffer.from("302e020100300506032b657004220420", "hex");
const SPKI_HEAD = Buffer.from("302a300506032b6570032100", "hex");

/** Keys as the library wants them; unpacking one costs more than a signature. */
const unpacked = new WeakMap<PublicKey | SecretKey, KeyObject>();

/** Ed25519 by the machine's own library. */
export const ed25519: SignatureScheme = {
  sign: (key, message) => new Uint8Array(sign(null, message, privateObject(key))),
  verify: (key, message, signature) => verify(null, message, publicObject(key), signature),
};

/**
 * Make a new key.
 *
 * @throws {CodedError} `key.name`
 */
export function generateSecretKey(name: string): SecretKey {
  checkKeyName(name);
  const pair = generateKeyPairSync("ed25519");
  const seed = pair.privateKey.export({ format: "der", type: "pkcs8" }).subarray(PKCS8_HEAD.length);
  const open = pair.publicKey.export({ format: "der", type: "spki" }).subarray(SPKI_HEAD.length);
  return { name, bytes: Uint8Array.from([...seed, ...open]) };
}

function privateObject(key: SecretKey): KeyObject {
  return remember(key, () =>
    createPrivateKey({
      key: Buffer.concat([PKCS8_HEAD, key.bytes.subarray(0, SEED_BYTES)]),
      format: "der",
      type: "pkcs8",
    }),
  );
}

function publicObject(key: PublicKey): KeyObject {
  return remember(key, () =>
    createPublicKey({ key: Buffer.concat([SPKI_HEAD, key.bytes]), format: "der", type: "spki" }),
  );
}

function remember(key: PublicKey | SecretKey, unpack: () => KeyObject): KeyObject {
  let object = unpacked.get(key);
  if (object === undefined) {
    object = unpack();
    unpacked.set(key, object);
  }
  return object;
}
