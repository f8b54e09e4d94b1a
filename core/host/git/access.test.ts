import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { CodedError } from "../../base/index.ts";
import { type Access, openAccess } from "../fetch/access.ts";
import { makeHttpBackend } from "./http-backend.ts";
import { makeCertificate, serveRepositories, temporaryFolder, TestRepository, type TestServer } from "./testing.ts";

const test = suite("git over http, with a login");
const login = { username: "alice", password: "se:cret#1" };
let root: string;
let rev: string;
let server: TestServer;
let certificate: ReturnType<typeof makeCertificate>;

test.before(async () => {
  root = temporaryFolder();
  rev = new TestRepository(`${root}/repo`).write({ a: "one\n" }).commit();
  server = await serveRepositories(root, { login });
  certificate = makeCertificate(temporaryFolder());
  // Before the first connection: the certificates of a machine are read once.
  if (certificate !== undefined) process.env["NIX_SSL_CERT_FILE"] = certificate.certFile;
});
test.after(() => server.close());

const host = (): string => new URL(server.url).host;

/** The access of somebody with these files at home, and nothing else. */
function accessOf(
  files: Readonly<Record<string, string>>,
  environment: Readonly<Record<string, string>> = {},
): Access & { home: string } {
  const home = temporaryFolder();
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(`${home}/${name}`.replace(/\/[^/]*$/, ""), { recursive: true });
    writeFileSync(`${home}/${name}`, text);
  }
  const own = { PATH: process.env["PATH"] ?? "", HOME: home, GIT_CONFIG_NOSYSTEM: "1" };
  return { home, ...openAccess({ environment: { ...own, ...environment }, home, root: home }) };
}

async function fetched(access: Access | undefined, url = `${server.url}repo`): Promise<string> {
  const destination = `${temporaryFolder()}/tree`;
  try {
    await makeHttpBackend(access).listRefs(url);
    await makeHttpBackend(access).fetchTree({ url, rev, ref: "refs/heads/main", destination });
    return readFileSync(`${destination}/a`, "utf8");
  } catch (error) {
    return `${(error as CodedError).code}: ${(error as Error).message} ${(error as CodedError).hint}`;
  }
}

test("a server that asks for a login gets none from nobody, and the error says how to give one", async () => {
  const said = await fetched(undefined);
  assert.match(said, "git.unreachable");
  assert.match(said, "HTTP 401");
  assert.match(said, "~/.netrc");
});

test("a name and password in the address are used, and never shown", async () => {
  const [user, password] = [login.username, login.password].map(encodeURIComponent);
  assert.is(await fetched(undefined, `${server.url.replace("//", `//${user}:${password}@`)}repo`), "one\n");
  const wrong = await fetched(undefined, `${server.url.replace("//", `//${user}:wrong@`)}repo`);
  assert.match(wrong, "git.unreachable");
  assert.not.match(wrong, "wrong");
});

test("an entry of a netrc file is used, wherever that is", async () => {
  const netrc = `machine 127.0.0.1 login ${login.username} password ${login.password}\n`;
  assert.is(await fetched(accessOf({ ".netrc": netrc })), "one\n");
  assert.is(await fetched(accessOf({ "etc/floe/netrc": netrc })), "one\n");
  const elsewhere = accessOf({ secret: netrc });
  assert.is(await fetched(accessOf({}, { NETRC: `${elsewhere.home}/secret` })), "one\n");
  const settings = { ".config/floe/settings.json": JSON.stringify({ netrcFile: `${elsewhere.home}/secret` }) };
  assert.is(await fetched(accessOf(settings)), "one\n");
  assert.match(await fetched(accessOf({ ".netrc": netrc.replace("127.0.0.1", "example.org") })), "HTTP 401");
});

test("a token of the settings is used as a password", async () => {
  const forTokens = await serveRepositories(root, { login: { username: "oauth2", password: "token-1" } });
  try {
    const settings = JSON.stringify({ accessTokens: { [new URL(forTokens.url).host]: "token-1" } });
    assert.is(await fetched(accessOf({ ".config/floe/settings.json": settings }), `${forTokens.url}repo`), "one\n");
  } finally {
    await forTokens.close();
  }
});

test("git's credential helper is asked when the server refuses, and told how it went", async () => {
  const helper = (password: string): Access & { home: string } => {
    const access = accessOf({
      helper: `#!/bin/sh\necho "$1" >> "$HOME/calls"\n[ "$1" != get ] || printf 'username=%s\\npassword=%s\\n' '${login.username}' '${password}'\n`,
    });
    chmodSync(`${access.home}/helper`, 0o755);
    writeFileSync(`${access.home}/.gitconfig`, `[credential]\n\thelper = ${access.home}/helper\n`);
    return access;
  };
  const calls = ({ home }: { home: string }): string[] => [
    ...new Set(existsSync(`${home}/calls`) ? readFileSync(`${home}/calls`, "utf8").trim().split("\n") : []),
  ];
  const right = helper(login.password);
  assert.is(await fetched(right), "one\n");
  assert.equal(calls(right), ["get", "store"]);
  const wrong = helper("wrong");
  assert.match(await fetched(wrong), "HTTP 401");
  assert.equal(calls(wrong), ["get", "erase"]);
});

test("who asks is not told to the server a redirect leads to", async () => {
  const open = await serveRepositories(root);
  const leading = await serveRepositories(root, { login, redirectTo: open.url });
  try {
    const [user, password] = [login.username, login.password].map(encodeURIComponent);
    assert.is(await fetched(undefined, `${leading.url.replace("//", `//${user}:${password}@`)}repo`), "one\n");
    assert.ok(leading.asked.length > 0 && open.asked.length > 0);
    assert.equal([...new Set(leading.asked)], [`${login.username}:${login.password}`]);
    assert.equal([...new Set(open.asked)], [""]);
  } finally {
    await leading.close();
    await open.close();
  }
});

test("a server with a certificate the machine trusts is read over TLS", async () => {
  if (certificate === undefined) return console.log("skipped: there is no openssl");
  const secure = await serveRepositories(root, { tls: certificate, login });
  try {
    const netrc = `machine 127.0.0.1 login ${login.username} password ${login.password}\n`;
    assert.is(await fetched(accessOf({ ".netrc": netrc }), `${secure.url}repo`), "one\n");
    assert.match(host(), "127.0.0.1");
  } finally {
    await secure.close();
  }
});

test("a server whose certificate nobody vouches for is refused", async () => {
  const unknown = makeCertificate(temporaryFolder());
  if (unknown === undefined) return console.log("skipped: there is no openssl");
  const secure = await serveRepositories(root, { tls: unknown });
  try {
    const said = await fetched(undefined, `${secure.url}repo`);
    assert.match(said, "git.unreachable");
    assert.match(said, "self-signed certificate");
    assert.match(said, "NIX_SSL_CERT_FILE");
    assert.not.match(said, "Node.js");
    assert.equal(secure.requests, []);
  } finally {
    await secure.close();
  }
});

test.run();
