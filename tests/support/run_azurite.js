// Azurite's table storage in memory on two free loopback ports: over http, and over https, where it
// also takes tokens of Microsoft Entra ID (it looks at all but their signatures). Prints both
// addresses and a file with the authority of the certificate; ends when standard input does.

const { generateKeyPairSync, randomBytes } = require("node:crypto");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { md, pki } = require("node-forge");
const TableConfiguration = require("azurite/dist/src/table/TableConfiguration").default;
const TableServer = require("azurite/dist/src/table/TableServer").default;
const { CertOptions } = require("azurite/dist/src/common/ConfigurationBase");

const HOST = "127.0.0.1";

function keys() {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  return {
    publicKey: pki.publicKeyFromPem(publicKey),
    privateKey: pki.privateKeyFromPem(privateKey),
    pem: privateKey,
  };
}

// A certificate in PEM, good for a day.
function certificate(name, issuer, holder, signer, extensions) {
  const made = pki.createCertificate();
  made.publicKey = holder.publicKey;
  made.serialNumber = `01${randomBytes(8).toString("hex")}`;
  made.validity.notBefore = new Date(Date.now() - 3600_000);
  made.validity.notAfter = new Date(Date.now() + 24 * 3600_000);
  made.setSubject([{ name: "commonName", value: name }]);
  made.setIssuer([{ name: "commonName", value: issuer }]);
  made.setExtensions(extensions);
  made.sign(signer.privateKey, md.sha256.create());
  return pki.certificateToPem(made);
}

// The key of the authority is forgotten at once, that of the server is only in memory.
function identity() {
  const [authority, server] = [keys(), keys()];
  const issuer = "authority of the tests";
  return {
    roots: certificate(issuer, issuer, authority, authority, [
      { name: "basicConstraints", cA: true, critical: true },
      { name: "keyUsage", keyCertSign: true, critical: true },
    ]),
    cert: certificate("Azurite", issuer, server, authority, [
      { name: "basicConstraints", cA: false, critical: true },
      { name: "keyUsage", digitalSignature: true, critical: true },
      { name: "extKeyUsage", serverAuth: true },
      { name: "subjectAltName", altNames: [{ type: 7, ip: HOST }] },
    ]),
    key: server.pem,
  };
}

async function start(tls) {
  const config = new TableConfiguration(HOST, 0);
  Object.assign(config, {
    enableAccessLog: false,
    enableDebugLog: false,
    isMemoryPersistence: true,
    disableProductStyleUrl: true,
    // Longer than any client keeps a connection: one that closes first loses requests.
    keepAliveTimeout: 600,
  });
  if (tls) {
    config.oauth = "basic";
    config.hasCert = () => CertOptions.PEM;
    config.getCert = () => ({ cert: tls.cert, key: tls.key });
  }
  const server = new TableServer(config);
  await server.start();
  return `${server.getHttpServerAddress()}/devstoreaccount1`;
}

async function main() {
  const tls = identity();
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "azurite-"));
  const end = () => {
    fs.rmSync(directory, { recursive: true, force: true });
    process.exit(0);
  };
  process.stdin.on("end", end).on("close", end).resume();
  const roots = path.join(directory, "roots.pem");
  fs.writeFileSync(roots, tls.roots);
  const plain = await start();
  const secure = await start(tls);
  console.log(JSON.stringify({ plain, secure, roots }));
}

main();
