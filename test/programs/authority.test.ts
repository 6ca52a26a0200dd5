import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findOnPath } from "../../lib/paths";
import { run } from "../../lib/run";
import { downloadChartModules } from "../../sandbox/charts/go-module-charts";
import { aptGetInstall } from "../../toolchain/apt-get";
import { tool } from "../../toolchain/tools";
import { kubectlAt } from "../backup/cluster";
import { ControlPlane } from "../backup/control-plane";
import { Workspace } from "../charts/workspace";
import { linesOf } from "../docs/pages";
import { Program } from "./program";

// Programs that start on a machine that may be busy, a browser among them.
jest.setTimeout(5 * 60_000);

const domain = "home.example.com";
const folder = mkdtempSync(join(tmpdir(), "hearth-authority-"));
const authority = join(folder, "ca.crt");
const servers: Server[] = [];
let plane: ControlPlane | undefined;
let controller: Program | undefined;

/** TLS clients of other families than the OpenSSL of curl and Go of kubectl, with the packages that have them. */
const packages = {
    "gnutls-cli": "gnutls-bin",
    tstclnt: "libnss3-tools",
    certutil: "libnss3-tools",
    chromium: "chromium",
};

/** Serves a page with a certificate. */
async function serve(cert: string, key: string): Promise<number> {
    const server = createServer({ cert, key }, (_, response) => response.end("the page"));
    servers.push(server);
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    return (server.address() as AddressInfo).port;
}

/** The page of a server, from a client that trusts the home's authority: true if it accepts the certificate. */
type Client = (name: string, port: number) => Promise<boolean>;

/** Runs a client to its end; its environment has no proxy. */
const client = (program: string, args: readonly string[]) =>
    run(program, args, { env: { PATH: process.env["PATH"], HOME: folder }, timeout: 60_000 });

const clients: Readonly<Record<string, Client>> = {
    "OpenSSL (curl)": async (name, port) => {
        const to = ["--resolve", `${name}:${port}:127.0.0.1`, `https://${name}:${port}`];
        return (await client("curl", ["--silent", "--cacert", authority, ...to])).output === "the page";
    },
    "Go (kubectl)": async (name, port) => {
        const to = [`--server=https://127.0.0.1:${port}`, `--tls-server-name=${name}`, "--token=none"];
        const { output } = await client(tool("kubectl"), [
            `--certificate-authority=${authority}`,
            ...to,
            "get",
            "--raw=/",
        ]);
        return output.trim() === "the page";
    },
    "GnuTLS (gnutls-cli)": async (name, port) => {
        const to = [`--x509cafile=${authority}`, `--verify-hostname=${name}`, `--port=${port}`, "127.0.0.1"];
        return (await client("gnutls-cli", to)).output.includes("The certificate is trusted");
    },
    "NSS (tstclnt)": async (name, port) => {
        const to = ["-h", "127.0.0.1", "-p", `${port}`, "-a", name, "-d", `sql:${join(folder, ".pki/nssdb")}`, "-Q"];
        return (await client("tstclnt", to)).exitCode === 0;
    },
    "BoringSSL (Chromium)": async (name, port) => {
        const options = ["--headless", "--no-sandbox", "--disable-gpu", `--user-data-dir=${join(folder, "browser")}`];
        const to = ["--host-resolver-rules=MAP * 127.0.0.1", "--dump-dom", `https://${name}:${port}`];
        return (await client("chromium", [...options, ...to])).output.includes("the page");
    },
};

/** Value of a Secret. */
function secret(name: string, key: string): string {
    const path = `--output=jsonpath={.data.${key.replaceAll(".", "\\.")}}`;
    const data = plane && kubectlAt(plane)(["get", "secret", name, "--namespace=cert-manager", path]);
    return Buffer.from(data ?? "", "base64").toString();
}

/** A certificate for a name, signed by a thief of the authority's key. */
function forge(name: string): { cert: string; key: string } {
    const file = (suffix: string) => join(folder, `forged${suffix}`);
    writeFileSync(file(".ca.key"), secret("internal-ca", "tls.key"));
    writeFileSync(file(".ext"), `subjectAltName=${name}`);
    const key = execFileSync("openssl", ["ecparam", "-name", "prime256v1", "-genkey", "-noout"], { encoding: "utf8" });
    writeFileSync(file(".key"), key);
    const request = execFileSync("openssl", ["req", "-new", "-key", file(".key"), "-subj", "/CN=forged"]);
    const by = ["-CA", authority, "-CAkey", file(".ca.key"), "-days", "90", "-extfile", file(".ext")];
    const cert = execFileSync("openssl", ["x509", "-req", ...by], { input: request, encoding: "utf8", stdio: "pipe" });
    return { cert, key };
}

beforeAll(async () => {
    for (const [program, name] of Object.entries(packages)) {
        if (!findOnPath(program)) {
            await aptGetInstall(program, `A test of certificates needs it: install ${name}.`, [name]);
        }
    }
    plane = await ControlPlane.start();
    const kubectl = kubectlAt(plane);
    const module = (await downloadChartModules()).get("github.com/cert-manager/cert-manager") ?? "";
    kubectl(["apply", "--server-side", "--filename", join(module, "deploy/crds")]);
    kubectl(["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]);
    kubectl(["create", "namespace", "cert-manager"]);
    const selfSigned = {
        apiVersion: "cert-manager.io/v1",
        kind: "ClusterIssuer",
        metadata: { name: "selfsigned" },
        spec: { selfSigned: {} },
    };
    controller = new Program(tool("cert-manager"), ["controller", "--cluster-resource-namespace=cert-manager"], {
        env: { PATH: process.env["PATH"], KUBECONFIG: plane.kubeconfig },
    });
    const workspace = new Workspace("helm4");
    const rendered = await workspace.render("cert-manager", `--set=global.domain=${domain}`);
    workspace.remove();
    const objects = [selfSigned, ...rendered.filter(({ kind }) => ["Certificate", "ClusterIssuer"].includes(kind))];
    kubectl(["apply", "--server-side", "--filename=-"], objects.map((each) => JSON.stringify(each)).join("\n"));
    const certificates = ["internal-ca", "wildcard"].map((name) => `certificate/${name}`);
    kubectl(["wait", "--for=condition=Ready", "--timeout=180s", "--namespace=cert-manager", ...certificates]);
    writeFileSync(authority, secret("internal-ca", "tls.crt"));
    const database = join(folder, ".pki/nssdb");
    mkdirSync(database, { recursive: true });
    execFileSync("certutil", ["-N", "-d", `sql:${database}`, "--empty-password"]);
    execFileSync("certutil", ["-A", "-d", `sql:${database}`, "-n", "home", "-t", "C,,", "-i", authority]);
});

afterAll(async () => {
    for (const each of servers) {
        each.closeAllConnections();
        each.close();
    }
    await controller?.stop();
    await plane?.remove();
    rmSync(folder, { recursive: true, force: true });
});

describe.each(Object.entries(clients))("%s", (_, accepts) => {
    test("accepts the home's certificate for the domain and each name in it", async () => {
        const port = await serve(secret("wildcard-tls", "tls.crt"), secret("wildcard-tls", "tls.key"));
        expect(await accepts(domain, port)).toBe(true);
        expect(await accepts(`photos.${domain}`, port)).toBe(true);
    });

    test.each([
        ["another domain", "www.bank.example", "DNS:www.bank.example"],
        ["a domain that ends alike", `my${domain}`, `DNS:my${domain}`],
        ["an IPv4 address", "127.0.0.1", "IP:127.0.0.1"],
    ])("refuses a certificate for %s that the home's authority signed", async (__, name, alternative) => {
        const { cert, key } = forge(alternative);
        const port = await serve(cert, key);
        expect(await accepts(name, port)).toBe(false);
    });
});

test("a renewal by docs/names.md gives the authority of an older home its constraint and the same key", async () => {
    const [renewal = "", ...others] = linesOf("docs/names.md").filter((line) => /patch certificate/.test(line));
    expect(others).toEqual([]);
    const kubectl = plane && kubectlAt(plane);
    const renew = async () => {
        const { serialNumber } = new X509Certificate(secret("internal-ca", "tls.crt"));
        const line = renewal.replace(/^kubectl/, `${tool("kubectl")} --kubeconfig ${plane?.kubeconfig}`);
        execFileSync("sh", ["-euc", line]);
        await plane?.until(
            "another certificate exists",
            async () => new X509Certificate(secret("internal-ca", "tls.crt")).serialNumber !== serialNumber,
        );
        writeFileSync(authority, secret("internal-ca", "tls.crt"));
    };
    const [accepts] = Object.values(clients);
    const isAccepted = async (name: string, cert: string, key: string) => accepts?.(name, await serve(cert, key));
    const [ofWildcard, keyOfWildcard] = [secret("wildcard-tls", "tls.crt"), secret("wildcard-tls", "tls.key")];
    const key = secret("internal-ca", "tls.key");
    const patch = (change: object) =>
        kubectl?.([
            "patch",
            "certificate",
            "internal-ca",
            "--namespace=cert-manager",
            "--type=json",
            `--patch=${JSON.stringify([change])}`,
        ]);
    const path = "--output=jsonpath={.spec.nameConstraints}";
    const constraints = JSON.parse(
        kubectl?.(["get", "certificate", "internal-ca", "--namespace=cert-manager", path]) ?? "",
    );
    patch({ op: "remove", path: "/spec/nameConstraints" });
    await renew();
    const forged = forge("DNS:www.bank.example");
    expect(await isAccepted("www.bank.example", forged.cert, forged.key)).toBe(true);

    patch({ op: "add", path: "/spec/nameConstraints", value: constraints });
    await renew();
    expect(secret("internal-ca", "tls.key")).toBe(key);
    expect(await isAccepted("www.bank.example", forged.cert, forged.key)).toBe(false);
    expect(await isAccepted(`photos.${domain}`, ofWildcard, keyOfWildcard)).toBe(true);
});
