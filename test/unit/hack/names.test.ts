import { execFileSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSecureContext, createServer, type SecureContext } from "node:tls";
import { accessTo, edgeNames } from "../../../hack/edge-names";
import { type HomeName, homeNames } from "../../../hack/home-names";
import { checkName, lookUp } from "../../../hack/name-check";

const metadata = (namespace: string, name: string) => ({ namespace, name });
const traefik = ["192.168.1.240"];

test("names are those of all Ingresses and IngressRoutes, each once, in order", () => {
    const ingresses = [
        {
            metadata: metadata("immich", "immich"),
            spec: { rules: [{ host: "photos.home.arpa" }, { host: "photos.home.arpa" }], tls: [{}] },
            status: { loadBalancer: { ingress: [{ ip: "192.168.1.250" }] } },
        },
        { metadata: metadata("cert-manager", "ca"), spec: { rules: [{ host: "ca.home.arpa" }] } },
        { metadata: metadata("default", "everything"), spec: { rules: [{}] } },
    ];
    const routes = [
        {
            metadata: metadata("vpn", "vpn"),
            spec: { routes: [{ match: "Host(`vpn.home.arpa`, `VPN.example.com`) && PathPrefix(`/x`)" }, {}], tls: {} },
        },
    ];

    expect(homeNames(ingresses, routes, traefik)).toEqual([
        { name: "ca.home.arpa", object: "cert-manager/ca", tls: false, addresses: traefik },
        { name: "photos.home.arpa", object: "immich/immich", tls: true, addresses: ["192.168.1.250"] },
        { name: "vpn.example.com", object: "vpn/vpn", tls: true, addresses: traefik },
        { name: "vpn.home.arpa", object: "vpn/vpn", tls: true, addresses: traefik },
    ]);
});

/** Records of the test's DNS server: addresses by name; others do not exist. */
const records: Readonly<Record<string, readonly number[]>> = {
    "elsewhere.home.arpa": [127, 0, 0, 9],
    "any.home.arpa": [127, 0, 0, 1],
};
const known = (name: string) => records[name] ?? (/^(?!absent).*\.home\.arpa$/.test(name) ? [127, 0, 0, 1] : undefined);

/** Answers queries for A and AAAA: RFC 1035, section 4. */
const dns = createSocket("udp4", (query, { port, address }) => {
    let end = 12;
    const labels: string[] = [];
    for (let length = query[end] ?? 0; length > 0; length = query[end] ?? 0) {
        labels.push(query.subarray(end + 1, end + 1 + length).toString());
        end += length + 1;
    }
    const question = query.subarray(12, end + 5);
    const found = known(labels.join("."));
    const addresses = found && query.readUInt16BE(end + 1) === 1 ? [found] : [];
    const header = Buffer.alloc(12);
    query.copy(header, 0, 0, 2);
    header.writeUInt16BE(found ? 0x8180 : 0x8183, 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(addresses.length, 6);
    const answers = addresses.map((each) => Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...each]));
    dns.send(Buffer.concat([header, question, ...answers]), port, address);
});

const directory = mkdtempSync(join(tmpdir(), "hearth-names-"));
let authority: string;

function openssl(...args: string[]): void {
    execFileSync("openssl", args, { cwd: directory, stdio: ["ignore", "ignore", "pipe"] });
}

const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/** Settings of `openssl ca`, the OpenSSL command that accepts dates of a certificate in every version. */
const settings = `[ca]
default_ca = own
[own]
database = index
new_certs_dir = .
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
[any]
commonName = supplied
`;

/** A certificate signed by the test's authority. */
function certificate(
    file: string,
    { subject, names, by, from, to }: { subject: string; names: string; by: string; from: string; to: string },
): SecureContext {
    openssl("req", "-new", ...newKey, "-subj", subject, "-keyout", `${file}.key`, "-out", `${file}.csr`);
    writeFileSync(join(directory, "extensions"), `subjectAltName=${names}\n`);
    writeFileSync(join(directory, "settings"), settings);
    writeFileSync(join(directory, "index"), "");
    openssl(
        ...["ca", "-batch", "-notext", "-config", "settings", "-extfile", "extensions"],
        ...["-cert", `${by}.crt`, "-keyfile", `${by}.key`, "-in", `${file}.csr`, "-out", `${file}.crt`],
        ...["-startdate", from, "-enddate", to],
    );
    const read = (extension: string) => readFileSync(join(directory, `${file}.${extension}`));
    return createSecureContext({ cert: read("crt"), key: read("key") });
}

const contexts: Record<string, SecureContext> = {};
const server = createServer({
    SNICallback: (name, done) => done(null, contexts[name.split(".")[0] ?? ""] ?? contexts["good"]),
});
let surroundings: Parameters<typeof checkName>[1];

beforeAll(async () => {
    for (const [file, subject] of [
        ["home", "/CN=home.arpa internal CA"],
        ["staging", "/O=(STAGING) Let's Encrypt/CN=(STAGING) Ersatz Edamame E1"],
        ["other", "/CN=somebody else"],
    ] as const) {
        openssl(
            ...["req", "-x509", ...newKey, "-days", "10", "-subj", subject],
            ...["-keyout", `${file}.key`, "-out", `${file}.crt`],
        );
    }
    authority = readFileSync(join(directory, "home.crt"), "utf8");
    const good = {
        subject: "/CN=home.arpa",
        names: "DNS:home.arpa,DNS:*.home.arpa",
        by: "home",
        from: "20200101000000Z",
        to: "20991231000000Z",
    };
    Object.assign(contexts, {
        good: certificate("good", good),
        named: certificate("named", { ...good, names: "DNS:git.home.arpa" }),
        expired: certificate("expired", { ...good, to: "20210228000000Z" }),
        early: certificate("early", { ...good, from: "20980101000000Z" }),
        untrusted: certificate("untrusted", { ...good, by: "other" }),
        staging: certificate("stagingleaf", { ...good, by: "staging" }),
        bare: certificate("bare", { ...good, subject: "/CN=TRAEFIK DEFAULT CERT", names: "DNS:a.traefik.default" }),
    });
    await Promise.all([
        new Promise<void>((listening) => dns.bind(0, "127.0.0.1", listening)),
        new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening)),
    ]);
    const inside = [`127.0.0.1:${dns.address().port}`];
    surroundings = { inside, outside: inside, authority, port: (server.address() as AddressInfo).port };
});

afterAll(() => {
    dns.close();
    server.close();
    rmSync(directory, { recursive: true });
});

const nameOf = (name: string, changes: Partial<HomeName> = {}): HomeName => ({
    name,
    object: "a/b",
    tls: true,
    addresses: ["127.0.0.1"],
    ...changes,
});

test("a name that resolves to Traefik, with a certificate of the home's own CA, has no problem", async () => {
    expect(await checkName(nameOf("good.home.arpa"), surroundings)).toEqual({
        ...nameOf("good.home.arpa"),
        inside: ["127.0.0.1"],
        outside: ["127.0.0.1"],
        certificate: { names: ["home.arpa", "*.home.arpa"], issuer: "home.arpa internal CA", until: "2099-12-31" },
        problems: [],
    });
});

test("a wildcard, or a name served only by plain HTTP, has no problem either", async () => {
    expect(await checkName(nameOf("*.home.arpa"), surroundings)).toMatchObject({ problems: [] });
    expect(await checkName(nameOf("ca.home.arpa", { tls: false }), { ...surroundings, port: 1 })).toMatchObject({
        problems: [],
    });
});

test.each<[what: string, name: HomeName, problem: RegExp]>([
    ["no record", nameOf("absent.home.arpa"), /^the DNS server 127.0.0.1:\d+ has no record of it$/],
    [
        "a record with another address",
        nameOf("elsewhere.home.arpa"),
        /^the DNS server .* returns 127.0.0.9, but Traefik has 127.0.0.1$/,
    ],
    ["no Traefik", nameOf("good.home.arpa", { addresses: [] }), /^the ingress controller has no address: `kubectl/],
    ["a certificate of another name", nameOf("named.home.arpa"), /^the certificate is for git.home.arpa$/],
    ["an expired certificate", nameOf("expired.home.arpa"), /^the certificate expired on 2021-02-28$/],
    [
        "one of the future",
        nameOf("early.home.arpa"),
        /^the certificate is not valid before 2098-01-01: compare .*clock$/,
    ],
    ["an issuer that nobody trusts", nameOf("untrusted.home.arpa"), /^devices do not trust its issuer, somebody else$/],
    [
        "Let's Encrypt's staging server",
        nameOf("staging.home.arpa"),
        /^devices do not trust \(STAGING\) Ersatz Edamame E1, Let's Encrypt's staging server: set hearth:letsencrypt.staging/,
    ],
    ["Traefik's own certificate", nameOf("bare.home.arpa"), /^Traefik has no certificate for it/],
])("reports %s in a sentence, and nothing else", async (_, name, problem) => {
    const { problems } = await checkName(name, surroundings);

    expect(problems).toEqual([expect.stringMatching(problem)]);
});

test("a Traefik that does not listen and an unreachable DNS server are reported", async () => {
    const away = { ...surroundings, port: 1, inside: ["127.0.0.1:1"] };

    expect((await checkName(nameOf("good.home.arpa"), away)).problems).toEqual([
        "the DNS server 127.0.0.1:1 does not answer",
        "nothing answers at 127.0.0.1, port 1",
    ]);
});

test("without the home's CA, its certificates are not trusted", async () => {
    const strange = { ...surroundings, authority: undefined };

    expect((await checkName(nameOf("good.home.arpa"), strange)).problems).toEqual([
        "devices do not trust its issuer, home.arpa internal CA",
    ]);
});

test("a name that does not exist is distinguished from a server that does not answer", async () => {
    expect(await lookUp(surroundings.inside, "absent.home.arpa")).toBe("no record");
    expect(await lookUp(["127.0.0.1:1"], "good.home.arpa")).toBe("no answer");
});

describe("access from the Internet", () => {
    const name = (login?: "pangolin" | "none") => ({
        ...{ name: "photos.home.arpa", object: "immich/immich" },
        ...(login === undefined ? {} : { login }),
    });
    const served = edgeNames(
        JSON.stringify({
            http: {
                routers: {
                    "1-router": { rule: "Host(`photos.home.arpa`)" },
                    "1-redirect": { rule: "Host(`photos.home.arpa`)" },
                    "2-router": { rule: "HostRegexp(`^[^.]+.x.home.arpa$`) && PathPrefix(`/a`)" },
                },
            },
        }),
    );

    test("names of the edge are those of Traefik's configuration, each once", () => {
        expect(served).toEqual(["^[^.]+.x.home.arpa$", "photos.home.arpa"]);
        expect(edgeNames("{}")).toEqual([]);
    });

    test("a name is closed, behind a login, or open, by its chart", () => {
        expect(accessTo(name(), [])).toEqual({ access: "closed", problems: [] });
        expect(accessTo(name("pangolin"), served)).toEqual({ access: "login", problems: [] });
        expect(accessTo(name("none"), served)).toEqual({ access: "open", problems: [] });
        expect(accessTo({ ...name("pangolin"), object: "pangolin/pangolin" }, []).access).toBe("login");
    });

    test("a name that is open or closed against its chart is a problem", () => {
        expect(accessTo(name(), served)).toEqual({
            access: "undeclared",
            problems: [expect.stringContaining("its chart does not have `public: true`")],
        });
        expect(accessTo(name("pangolin"), []).problems).toEqual([expect.stringContaining("logs deploy/publisher")]);
    });

    test("an unreachable edge does not make a name closed", () => {
        expect(accessTo(name(), undefined)).toEqual({ access: "unknown", problems: [] });
    });

    test("the annotation of a chart's Ingress is the login of its names", () => {
        const ingress = (login: string) => ({
            metadata: { ...metadata("ntfy", "ntfy"), annotations: { "hearth/public": login } },
            spec: { rules: [{ host: "ntfy.home.arpa" }] },
        });

        expect(homeNames([ingress("none")], [], traefik)[0]?.login).toBe("none");
        expect(homeNames([ingress("pangolin")], [], traefik)[0]?.login).toBe("pangolin");
    });
});
