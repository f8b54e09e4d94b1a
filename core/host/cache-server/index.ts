export { type CacheServer, serveCache, type ServeCacheOptions } from "./serve-cache.ts";
