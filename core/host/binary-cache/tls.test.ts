import { spawn, spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { certificateFile } from "../process/index.ts";
import { serveDirectory, type TestServer } from "./testing.ts";

/** A cache over TLS: whose certificates count is decided once in a process, so each question is asked in one of its own. */
const test = suite("caches over TLS");
const directory = mkdtempSync(join(tmpdir(), "floe-tls-"));
process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
mkdirSync(join(directory, "cache"));
writeFileSync(join(directory, "cache/nix-cache-info"), "StoreDir: /nix/store\nPriority: 7\n");

function openssl(...args: string[]): boolean {
  return spawnSync("openssl", args, { cwd: directory }).status === 0;
}

/** An authority of our own, a certificate it gave to 127.0.0.1, and another authority that gave none. */
function makeCertificates(): boolean {
  const ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const authority = (name: string): boolean =>
    openssl(
      "req",
      "-x509",
      ...ec,
      "-keyout",
      `${name}.key`,
      "-out",
      `${name}.pem`,
      "-days",
      "2",
      "-subj",
      `/CN=${name}`,
    );
  writeFileSync(join(directory, "host.ext"), "subjectAltName=IP:127.0.0.1\n");
  const signing = ["-CA", "ours.pem", "-CAkey", "ours.key", "-CAcreateserial", "-days", "2"];
  return (
    authority("ours") &&
    authority("foreign") &&
    openssl("req", ...ec, "-keyout", "host.key", "-out", "host.csr", "-subj", "/CN=127.0.0.1") &&
    openssl("x509", "-req", "-in", "host.csr", ...signing, "-extfile", "host.ext", "-out", "host.pem")
  );
}

const secure = makeCertificates() ? test : test.skip;
let server: TestServer | undefined;
if (secure === test.skip) console.log("skipped: openssl is not on the PATH, so there is no certificate to show");
else {
  const [key, cert] = ["host.key", "host.pem"].map((name) => readFileSync(join(directory, name), "utf8"));
  server = await serveDirectory(join(directory, "cache"), { key: key as string, cert: cert as string });
}

const big = randomBytes(3_000_000);
writeFileSync(join(directory, "cache/big"), big);

/** The priority that the cache states, or the code of the error and its words. */
function ask(environment: Readonly<Record<string, string>>): Promise<string> {
  return run(
    environment,
    `
    import { openBinaryCache, HttpTransport } from ${JSON.stringify(join(import.meta.dirname, "index.ts"))};
    const once = { attempts: 1, baseDelayMs: 1, maxDelayMs: 1 };
    const transport = new HttpTransport(new URL(${JSON.stringify(server?.url)}), { lookupPolicy: once });
    try {
      using cache = await openBinaryCache({ transport });
      console.log(cache.info.priority);
    } catch (error) {
      console.log(error.code + " " + error.message);
    }
  `,
  );
}

/** What a program says that runs in a process of its own. */
function run(environment: Readonly<Record<string, string>>, script: string): Promise<string> {
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", "--input-type=module-typescript", "-e", script],
    {
      env: { PATH: process.env["PATH"], HOME: directory, ...environment },
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  let said = "";
  child.stdout.on("data", (text: Buffer) => {
    said += text.toString();
  });
  return new Promise((resolve) => child.on("close", () => resolve(said.trim())));
}

secure("a certificate of an authority that nobody knows is refused", async () => {
  assert.match(await ask({}), /^cache\.unreachable .*certificate/);
  assert.equal(server?.log, []);
});

secure("the authorities of a file count, by the variables and by the settings, and no others", async () => {
  const [ours, foreign] = [join(directory, "ours.pem"), join(directory, "foreign.pem")];
  mkdirSync(join(directory, ".config/floe"), { recursive: true });
  assert.is(await ask({ NIX_SSL_CERT_FILE: ours }), "7");
  assert.is(await ask({ SSL_CERT_FILE: ours }), "7");
  assert.match(await ask({ NIX_SSL_CERT_FILE: foreign, SSL_CERT_FILE: ours }), /^cache\.unreachable/);
  writeFileSync(join(directory, ".config/floe/settings.json"), JSON.stringify({ sslCertFile: ours }));
  assert.is(await ask({}), "7");
  rmSync(join(directory, ".config/floe/settings.json"));
});

secure("a long answer comes whole, to memory that is used again", async () => {
  const script = `
    import { HttpTransport } from ${JSON.stringify(join(import.meta.dirname, "index.ts"))};
    const hash = process.getBuiltinModule("node:crypto").createHash("sha256");
    const transport = new HttpTransport(new URL(${JSON.stringify(server?.url)}));
    for await (const piece of transport.stream("big", { reuse: true })) hash.update(piece);
    transport.close();
    console.log(hash.digest("hex"));
  `;
  const found = await run({ SSL_CERT_FILE: join(directory, "ours.pem") }, script);
  assert.is(found, createHash("sha256").update(big).digest("hex"));
});

secure("a file without certificates is told", async () => {
  const file = join(directory, "host.ext");
  assert.match(
    await ask({ NIX_SSL_CERT_FILE: file }),
    `network.certificates-unreadable Cannot read certificates from "${file}"`,
  );
  assert.match(await ask({ NIX_SSL_CERT_FILE: `${file}-gone` }), "network.certificates-unreadable");
});

test("certificateFile() takes the variable first, then the settings of the user and of the machine", () => {
  const home = join(directory, "home");
  const places = { home, root: join(directory, "root"), environment: {} };
  assert.is(certificateFile(places), undefined);
  mkdirSync(join(directory, "root/etc/floe"), { recursive: true });
  writeFileSync(join(directory, "root/etc/floe/settings.json"), `{"sslCertFile":"/machine.pem"}`);
  assert.is(certificateFile(places), "/machine.pem");
  mkdirSync(join(home, ".config/floe"), { recursive: true });
  writeFileSync(join(home, ".config/floe/settings.json"), `{"sslCertFile":"/user.pem"}`);
  assert.is(certificateFile(places), "/user.pem");
  assert.is(certificateFile({ ...places, environment: { NIX_SSL_CERT_FILE: "/own.pem" } }), "/own.pem");
});

test.after(() => server?.close());
test.run();
