export { type AwsSettings, readAwsSettings } from "./aws-settings.ts";
export {
  BinaryCacheStore,
  type BinaryCacheOptions,
  type CacheInfoMemory,
  openBinaryCache,
} from "./binary-cache-store.ts";
export { type Compression, compressionExtension, parseCompression } from "./compression.ts";
export { FileTransport } from "./file-transport.ts";
export { DEFAULT_HTTP_TIMEOUTS, type HttpTimeouts } from "./http-client.ts";
export { HttpTransport, type HttpTransportOptions } from "./http-transport.ts";
export { forEachParallel } from "./parallel.ts";
export { type CacheTransport, isCacheFault } from "./transport.ts";
