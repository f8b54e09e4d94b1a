import { open } from "node:fs/promises";
import { AwsV4Signer } from "aws4fetch";
import { CodedError, hashBytes, toBase16, utf8 } from "../../base/index.ts";
import type { AwsCredentials } from "./aws-settings.ts";
import { forEachParallel } from "./parallel.ts";
import { discard, type HttpAnswer, type HttpRequest } from "./http-client.ts";
import { HttpTransport, type HttpTransportOptions, refusalOf } from "./http-transport.ts";
import { type SpooledFile, unreachable } from "./transport.ts";

export interface S3Place {
  readonly bucket: string;
  /** Folder of the cache in the bucket, without slashes at its ends; empty for none. */
  readonly prefix: string;
  readonly region: string;
  /** `host` or `host:port` of a service that is not the one of AWS. */
  readonly endpoint?: string | undefined;
  readonly scheme: "http" | "https";
}

export interface S3TransportOptions extends HttpTransportOptions {
  /** Default none: only what everybody may see. */
  readonly credentials?: AwsCredentials | undefined;
  /** Larger files are written in parts of this size. Default 16 MiB; at least 5 MiB, as the service wants. */
  readonly partBytes?: number | undefined;
}

const PART_BYTES = 16 * 1024 * 1024;
const PARTS_AT_ONCE = 4;
/** The service allows no more. */
const MOST_PARTS = 10_000;
const LONGEST_ANSWER = 1024 * 1024;
const EMPTY_HASH = toBase16(hashBytes("sha256", "").digest);

/** A cache in a bucket of S3, or of a service like it. Requests are signed (version 4). */
export class S3Transport extends HttpTransport {
  readonly #region: string;
  readonly #credentials: AwsCredentials | undefined;
  readonly #partBytes: number;

  constructor(place: S3Place, options: S3TransportOptions = {}) {
    super(new URL(addressOf(place)), options);
    this.#region = place.region;
    this.#credentials = options.credentials;
    this.#partBytes = options.partBytes ?? PART_BYTES;
  }

  override async write(name: string, contents: Uint8Array | SpooledFile, type: string): Promise<void> {
    if (contents instanceof Uint8Array || contents.sizeBytes <= this.#partBytes) {
      return super.write(name, contents, type);
    }
    await this.#writeParts(name, contents, type);
  }

  protected override async ask(request: HttpRequest): Promise<HttpAnswer> {
    const credentials = this.#credentials;
    if (credentials === undefined) return super.ask(request);
    const { body, bodyHash } = request;
    const { sessionToken, ...keys } = credentials;
    const hash = body === undefined ? EMPTY_HASH : bodyHash === undefined ? "UNSIGNED-PAYLOAD" : toBase16(bodyHash);
    const signer = new AwsV4Signer({
      method: request.method,
      url: request.url.href,
      headers: { ...request.headers, "x-amz-content-sha256": hash },
      ...keys,
      ...(sessionToken === undefined ? {} : { sessionToken }),
      service: "s3",
      region: this.#region,
    });
    const { headers } = await signer.sign();
    return super.ask({ ...request, headers: Object.fromEntries(headers) });
  }

  /** Names may hold what means something else in an address. */
  protected override resolve(name: string): URL {
    if (/^https?:\/\//i.test(name)) return super.resolve(name);
    return super.resolve(name.split("/").map(encodeURIComponent).join("/"));
  }

  /** Nothing is to be seen of the file until the last step. */
  async #writeParts(name: string, file: SpooledFile, type: string): Promise<void> {
    const url = this.resolve(name);
    const begun = await this.#post(new URL("?uploads", url), new Uint8Array(0), type);
    const [, upload] = /<UploadId>([^<]+)<\/UploadId>/.exec(begun) ?? [];
    if (upload === undefined) throw unreachable(this.address, `it did not begin to take "${name}" in parts`);
    const at = new URL(url);
    at.searchParams.set("uploadId", upload);
    try {
      const tags = await this.#putParts(at, file);
      const list = tags.map((tag, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${tag}</ETag></Part>`).join("");
      const body = utf8(`<CompleteMultipartUpload>${list}</CompleteMultipartUpload>`);
      const ended = await this.#post(at, body, "application/xml");
      // A failure of this step comes with the status of a success.
      if (!ended.includes("<CompleteMultipartUploadResult"))
        throw unreachable(this.address, `it did not put the parts of "${name}" together`);
    } catch (error) {
      await this.ask({ method: "DELETE", url: at }).then(
        (answer) => discard(answer.body),
        () => {},
      );
      throw error;
    }
  }

  async #putParts(at: URL, { path, sizeBytes }: SpooledFile): Promise<string[]> {
    const partBytes = Math.max(this.#partBytes, Math.ceil(sizeBytes / MOST_PARTS));
    const count = Math.ceil(sizeBytes / partBytes);
    const tags: string[] = [];
    await using file = await open(path);
    await forEachParallel(Array(count).keys(), PARTS_AT_ONCE, async (index) => {
      const body = new Uint8Array(Math.min(partBytes, sizeBytes - index * partBytes));
      await file.read(body, 0, body.length, index * partBytes);
      const url = new URL(at);
      url.searchParams.set("partNumber", String(index + 1));
      tags[index] = await this.retryingTransfer(async () => {
        const answer = await this.ask({
          method: "PUT",
          url,
          headers: { "content-length": String(body.length) },
          body,
          bodyHash: hashBytes("sha256", body).digest,
        });
        const tag = answer.headers["etag"];
        if (answer.status !== 200 || tag === undefined) throw this.#refused(answer);
        discard(answer.body);
        return tag;
      });
    });
    return tags;
  }

  #post(url: URL, body: Uint8Array, type: string): Promise<string> {
    return this.retryingTransfer(async () => {
      const answer = await this.ask({
        method: "POST",
        url,
        headers: { "content-type": type, "content-length": String(body.length) },
        body,
        bodyHash: hashBytes("sha256", body).digest,
      });
      if (answer.status !== 200) throw this.#refused(answer);
      return Buffer.from((await this.client.whole(answer, LONGEST_ANSWER)) ?? []).toString();
    });
  }

  #refused(answer: HttpAnswer): Error {
    if (answer.status >= 500 || answer.status === 429) return refusalOf(answer);
    discard(answer.body);
    return new CodedError(
      "cache.not-writable",
      `Cannot write to the cache "${this.address}": it answered ${answer.status}`,
    );
  }
}

/** The bucket in the name of the host, as AWS wants it; in the path where that cannot be. */
function addressOf({ bucket, prefix, region, endpoint, scheme }: S3Place): string {
  const folder = prefix === "" ? "" : `/${prefix}`;
  if (endpoint !== undefined) return `${scheme}://${endpoint}/${bucket}${folder}`;
  const host = `s3.${region}.amazonaws.com`;
  // A certificate covers one label before the service's name.
  return bucket.includes(".") ? `${scheme}://${host}/${bucket}${folder}` : `${scheme}://${bucket}.${host}${folder}`;
}
