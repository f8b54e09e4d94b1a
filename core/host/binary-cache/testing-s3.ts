import { createHash, createHmac } from "node:crypto";
import http, { type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

export interface TestS3 {
  /** `127.0.0.1:PORT` */
  readonly endpoint: string;
  /** Contents by bucket and key. */
  readonly objects: Map<string, Buffer>;
  /** Method and address of every request, and how it was answered. */
  readonly log: string[];
  /** Uploads in parts that were begun and neither ended nor called off. */
  readonly uploads: ReadonlyMap<string, unknown>;
  /** Gives the status to answer a request with instead. */
  refuse: ((method: string, address: string) => number | undefined) | undefined;
  close(): Promise<void>;
}

/**
 * A storage service on this machine alone: objects, ranges and uploads in parts. It computes each request's signature for itself, from
 * what arrived, and refuses those that differ. For tests.
 *
 * Source: AWS, "Authenticating Requests (AWS Signature Version 4)".
 */
export async function serveS3(accessKeyId: string, secretAccessKey: string): Promise<TestS3> {
  const objects = new Map<string, Buffer>();
  const uploads = new Map<string, Map<number, Buffer>>();
  const log: string[] = [];
  const server = http.createServer((request, response) => {
    void (async () => {
      const body = await buffer(request);
      const url = new URL(request.url ?? "", "http://x");
      const key = decodeURIComponent(url.pathname.slice(1));
      const answer = (status: number, contents: string | Buffer = "", headers: Record<string, string> = {}): void => {
        log.push(`${request.method} ${request.url} ${status}`);
        response.writeHead(status, { "content-length": Buffer.byteLength(contents), ...headers });
        response.end(request.method === "HEAD" ? undefined : contents);
      };
      const failure = test.refuse?.(request.method ?? "", request.url ?? "");
      if (failure !== undefined) return answer(failure);
      if (!isSigned(request, url, body, { accessKeyId, secretAccessKey })) return answer(403, "SignatureDoesNotMatch");
      const upload = url.searchParams.get("uploadId") ?? "";
      const tag = `"${createHash("md5").update(body).digest("hex")}"`;
      if (request.method === "POST" && url.searchParams.has("uploads")) {
        const id = `upload+${uploads.size}/=`;
        uploads.set(id, new Map());
        return answer(200, `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`);
      }
      if (request.method === "PUT" && upload !== "") {
        uploads.get(upload)?.set(Number(url.searchParams.get("partNumber")), body);
        return answer(200, "", { etag: tag });
      }
      if (request.method === "POST" && upload !== "") {
        const parts = [...(uploads.get(upload) ?? [])].sort(([a], [b]) => a - b);
        const named = [...body.toString().matchAll(/<PartNumber>(\d+)<\/PartNumber><ETag>"?([0-9a-f]+)"?<\/ETag>/g)];
        const isRight = parts.every(
          ([number, contents], i) =>
            Number(named[i]?.[1]) === number && named[i]?.[2] === createHash("md5").update(contents).digest("hex"),
        );
        if (!isRight || parts.length !== named.length) return answer(200, "<Error><Code>InvalidPart</Code></Error>");
        objects.set(key, Buffer.concat(parts.map(([, contents]) => contents)));
        uploads.delete(upload);
        return answer(200, "<CompleteMultipartUploadResult></CompleteMultipartUploadResult>");
      }
      if (request.method === "DELETE") return answer(uploads.delete(upload) ? 204 : 404);
      if (request.method === "PUT") {
        objects.set(key, body);
        return answer(200, "", { etag: tag });
      }
      const object = objects.get(key);
      // A service tells whoever may not list a bucket that they may not look, and not that there is nothing.
      if (object === undefined) return answer(403, "AccessDenied");
      const [, first] = /^bytes=(\d+)-$/.exec(request.headers.range ?? "") ?? [];
      if (first === undefined) return answer(200, object);
      const range = `bytes ${first}-${object.length - 1}/${object.length}`;
      return answer(206, object.subarray(Number(first)), { "content-range": range });
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const test: TestS3 = {
    endpoint: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    objects,
    log,
    uploads,
    refuse: undefined,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  return test;
}

function isSigned(
  request: IncomingMessage,
  url: URL,
  body: Buffer,
  { accessKeyId, secretAccessKey }: { readonly accessKeyId: string; readonly secretAccessKey: string },
): boolean {
  const [, key, date, region, signed, signature] =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
      request.headers.authorization ?? "",
    ) ?? [];
  const stated = request.headers["x-amz-content-sha256"];
  const when = String(request.headers["x-amz-date"]);
  if (key !== accessKeyId || date === undefined || region === undefined || signed === undefined) return false;
  if (stated !== createHash("sha256").update(body).digest("hex")) return false;
  const names = signed.split(";");
  if (!["host", "x-amz-content-sha256", "x-amz-date"].every((name) => names.includes(name))) return false;
  const encode = (text: string): string =>
    encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  const path = url.pathname
    .split("/")
    .map((part) => encode(decodeURIComponent(part)))
    .join("/");
  const query = [...url.searchParams]
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .sort()
    .join("&");
  const headers = names.map(
    (name) =>
      `${name}:${String(request.headers[name] ?? "")
        .trim()
        .replace(/ +/g, " ")}\n`,
  );
  const canonical = [request.method, path, query, headers.join(""), signed, stated].join("\n");
  const scope = `${date}/${region}/s3/aws4_request`;
  const digest = createHash("sha256").update(canonical).digest("hex");
  const hmac = (secret: string | Buffer, text: string): Buffer => createHmac("sha256", secret).update(text).digest();
  const signingKey = ["s3", "aws4_request"].reduce(hmac, hmac(hmac(`AWS4${secretAccessKey}`, date), region));
  return hmac(signingKey, `AWS4-HMAC-SHA256\n${when}\n${scope}\n${digest}`).toString("hex") === signature;
}
