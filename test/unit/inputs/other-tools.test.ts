import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { isKubeconfigContents, kubeconfigPath, readKubeconfig } from "../../../config/kubeconfig";
import { parseSettings } from "../../../config/settings";
import { hostKeyMistake, isPublicKey, privateKeyMistake } from "../../../config/ssh-keys";
import { checkSize, configSize, readStackFile, stackFileName } from "../../../config/stack-file";
import { readStack } from "../../../hack/stack";
import { configs, rawConfig } from "../hostile/configs";

let folder: string;
const before = process.cwd();

beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "hearth-inputs-"));
    process.chdir(folder);
});

afterAll(() => {
    process.chdir(before);
    rmSync(folder, { recursive: true });
});

const kubeconfig = (more: object = {}, server = "https://192.168.1.10:6443", user: object = { token: "t0ken" }) => ({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "home",
    contexts: [{ name: "home", context: { cluster: "home", user: "admin" } }],
    clusters: [{ name: "home", cluster: { server } }],
    users: [{ name: "admin", user }],
    ...more,
});
const several = { contexts: ["home", "work"].map((name) => ({ name, context: { cluster: name, user: "admin" } })) };
const text = (value: object) => JSON.stringify(value);

describe("kind 2: kubeconfigs as other tools write them", () => {
    test("as JSON on one line, by contents (B06)", () => {
        const given = text(kubeconfig());
        expect(isKubeconfigContents(given)).toBe(true);
        expect(readKubeconfig(given)).toMatchObject({ server: "https://192.168.1.10:6443", isLoopback: false });
        const { kubeconfig: _, ...others } = configs["an existing cluster"];
        expect(parseSettings(rawConfig({ ...others, kubeconfig: given })).kubeconfig).toBe(given);
    });

    test("with ~ for the home directory (B07)", () => {
        expect(kubeconfigPath("~/.kube/config")).toBe(join(homedir(), ".kube/config"));
        expect(kubeconfigPath("a~b")).toBe(join(process.cwd(), "a~b"));
    });

    test("with certificate files next to it, which are embedded", () => {
        mkdirSync("elsewhere", { recursive: true });
        writeFileSync("elsewhere/ca.crt", "certificate");
        const clusters = [
            { name: "home", cluster: { server: "https://10.0.0.1:6443", "certificate-authority": "ca.crt" } },
        ];
        writeFileSync("elsewhere/config", text(kubeconfig({ clusters })));
        const { value } = readKubeconfig("elsewhere/config");
        expect(JSON.parse(value).clusters[0].cluster).toEqual({
            server: "https://10.0.0.1:6443",
            "certificate-authority-data": Buffer.from("certificate").toString("base64"),
        });
        expect(() => readKubeconfig(text(kubeconfig({ clusters })))).toThrow(
            /relative path.*kubectl config view --raw/,
        );
        rmSync("elsewhere/ca.crt");
        expect(() => readKubeconfig("elsewhere/config")).toThrow(
            /certificate-authority is .*ca\.crt, which cannot be read/,
        );
    });

    test("with several contexts: hearth:context selects one (B14)", () => {
        const clusters = ["home", "work"].map((name) => ({ name, cluster: { server: `https://${name}.example.com` } }));
        const given = text(kubeconfig({ ...several, clusters }));
        expect(() => readKubeconfig(given)).toThrow(
            "hearth:kubeconfig: it has several contexts: set hearth:context to one of home, work",
        );
        expect(() => readKubeconfig(given, { context: "hom" })).toThrow(
            'invalid hearth:context: got "hom", expected one of its contexts: home, work',
        );
        const { value, server } = readKubeconfig(given, { context: "work" });
        expect(server).toBe("https://work.example.com");
        expect(JSON.parse(value)).toMatchObject({ "current-context": "work", contexts: [{ name: "work" }] });
    });

    test.each<[string, () => unknown, RegExp]>([
        [
            "of a server that only listens there (B16)",
            () => readKubeconfig(text(kubeconfig({}, "https://0.0.0.0:6443"))),
            /write the node's address/,
        ],
        [
            "with a login plugin that is not installed",
            () => readKubeconfig(text(kubeconfig({}, undefined, { exec: { command: "no-such-plugin" } }))),
            /logs in with the program no-such-plugin, which is not installed/,
        ],
        [
            "with an auth-provider",
            () => readKubeconfig(text(kubeconfig({}, undefined, { "auth-provider": {} }))),
            /removed: use an exec plugin/,
        ],
        [
            "without a current context",
            () => readKubeconfig(text(kubeconfig({ "current-context": "" }))),
            /current context/,
        ],
        [
            "in base64, of which nothing is repeated",
            () => readKubeconfig(Buffer.from(text(kubeconfig())).toString("base64")),
            /neither a path nor the contents.*base64 --decode(?!.*eyJ)/,
        ],
        [
            "whose line breaks are lost",
            () => readKubeconfig("apiVersion: v1 users: [{name: a, user: {token: t0ken}}]"),
            /neither a path nor the contents.*with its line breaks(?!.*t0ken)/,
        ],
        [
            "with a server that is not a URL",
            () => readKubeconfig(text(kubeconfig({}, "192.168.1.10:6443"))),
            /clusters\[0\]\.cluster\.server is not a URL that begins with https:\/\//,
        ],
        ["that is empty", () => readKubeconfig("{}"), /current context/],
        ["that is not a file", () => readKubeconfig("."), /is not a file/],
        ["that does not exist", () => readKubeconfig("nowhere.yaml"), /nowhere\.yaml does not exist/],
        [
            "that is not valid YAML",
            () => readKubeconfig("{\n  users: [t0ken\n"),
            /^hearth:kubeconfig: it is not valid YAML: line \d(?!.*t0ken)/,
        ],
    ])("rejects one %s with a message", (_, read, message) => expect(read).toThrow(message));

    test("for the host that runs this is reported as such (B16)", () => {
        expect(readKubeconfig(text(kubeconfig({}, "https://127.0.0.1:6443"))).isLoopback).toBe(true);
    });

    test("that only root can read: how to copy it (B15)", () => {
        writeFileSync("k3s.yaml", text(kubeconfig()));
        chmodSync("k3s.yaml", 0o000);
        // Root may read everything, so the test runs as another user.
        const isRoot = process.getuid?.() === 0;
        chmodSync(folder, 0o755);
        if (isRoot) {
            process.seteuid?.("nobody");
        }
        try {
            expect(() => readKubeconfig("k3s.yaml")).toThrow(/k3s\.yaml may not be read by this user .*sudo cat/);
        } finally {
            if (isRoot) {
                process.seteuid?.(0);
            }
        }
    });
});

describe("kind 2: keys as ssh-keygen, PuTTY and ssh-keyscan write them", () => {
    const keygen = (name: string, ...args: string[]) => {
        execFileSync("ssh-keygen", ["-q", "-f", name, ...args]);
        return readFileSync(name, "utf8");
    };

    test.each([
        ["Ed25519", ["-t", "ed25519"]],
        ["RSA in PEM", ["-t", "rsa", "-b", "2048", "-m", "PEM"]],
        ["ECDSA in PKCS 8", ["-t", "ecdsa", "-m", "PKCS8"]],
    ])(
        "%s: works without a passphrase, and is rejected with one, truncated, or with Windows line ends (B19)",
        (name, args) => {
            const good = keygen(name, ...args, "-N", "");
            expect(privateKeyMistake(good)).toBeUndefined();
            expect(privateKeyMistake(good.trim())).toBeUndefined();
            expect(privateKeyMistake(keygen(`${name} 2`, ...args, "-N", "canary"))).toMatch(/without a passphrase/);
            expect(privateKeyMistake(good.replaceAll("\n", "\r\n"))).toMatch(/Unix line endings/);
            expect(privateKeyMistake(good.slice(0, -60))).toMatch(/truncated/);
            const lines = good.split("\n");
            expect(privateKeyMistake([...lines.slice(0, 2), ...lines.slice(3)].join("\n"))).toMatch(
                /truncated|damaged/,
            );
            expect(privateKeyMistake(readFileSync(`${name}.pub`, "utf8"))).toMatch(
                /the private key, and this is the public one/,
            );
        },
    );

    test("PuTTY's format is rejected with the command that converts it", () => {
        expect(privateKeyMistake("PuTTY-User-Key-File-3: ssh-ed25519\n")).toMatch(/puttygen/);
    });

    test("a host key is a single complete Ed25519 or ECDSA key (B20)", () => {
        keygen("host", "-t", "ed25519", "-N", "");
        keygen("host-rsa", "-t", "rsa", "-b", "2048", "-N", "");
        const line = (name: string) => readFileSync(`${name}.pub`, "utf8").trim().split(" ").slice(0, 2).join(" ");
        const [key, rsa] = [line("host"), line("host-rsa")];
        expect(hostKeyMistake(key)).toBeUndefined();
        expect(hostKeyMistake(`${key} root@node-1`)).toBeUndefined();
        expect(hostKeyMistake(rsa)).toMatch(/Ed25519 key.*hack\/host-keys/);
        expect(hostKeyMistake(`192.168.1.11 ${rsa}`)).toMatch(/Ed25519 key.*hack\/host-keys/);
        for (const given of [
            `192.168.1.11 ${key}`,
            `[192.168.1.11]:2222 ${key}`,
            `|1|abc=|def= ${key}`,
            `# x\nn ${rsa}\nn ${key}`,
        ]) {
            expect(hostKeyMistake(given)).toBe(`the key alone, without names or other lines: ${key}`);
        }
        expect(hostKeyMistake("SHA256:abc")).toMatch(/not its fingerprint/);
        expect(hostKeyMistake(key.slice(0, -8))).toMatch(/truncated or damaged/);
        expect(isPublicKey(rsa)).toBe(true);
    });
});

describe("kind 2: stack files as Pulumi and editors write them (B13)", () => {
    const write = (config: string) => writeFileSync("Pulumi.home.yaml", config);

    test("keys without the project's namespace, and merge keys, are read as Pulumi reads them", async () => {
        write("common: &c\n  hearth:cluster: cabin\nconfig:\n  <<: *c\n  domain: home.example.com\n");
        expect(readStackFile("Pulumi.home.yaml").config).toMatchObject({ "hearth:domain": "home.example.com" });
        expect((await readStack("organization/hearth/home")).settings).toMatchObject({
            domain: "home.example.com",
            cluster: "cabin",
        });
    });

    test("a stack's name may include its organization and project", () => {
        expect(stackFileName("organization/hearth/home")).toBe("Pulumi.home.yaml");
    });

    test("the verbs reject mistakes with the program's messages", async () => {
        write("config:\n  hearth:domain: Home\n");
        await expect(readStack("home")).rejects.toThrow(
            /invalid hearth:domain: got "Home", expected a lower-case DNS name/,
        );
        write("config:\n  hearth:domain: home.example.com\n  hearth:ssh:\n    privateKey: canary\n");
        await expect(readStack("home")).rejects.toThrow(
            /config set --stack home --secret --path 'hearth:ssh\.privateKey'/,
        );
        write("config:\n  hearth:domain: no\n");
        await expect(readStack("home")).rejects.toThrow(/^Pulumi\.home\.yaml: line 2: .*put it in quotes/);
    });

    test("the sizes of several large secrets are added up (B18)", () => {
        const secure = `v1:AAAA:${Buffer.alloc(50_016).toString("base64")}`;
        const size = configSize({ "hearth:secrets": { a: { b: { secure }, c: { secure }, d: { secure } } } });
        expect(size).toBeGreaterThan(150_000);
        expect(() => checkSize("Pulumi.home.yaml", size)).toThrow(/argument list too long/);
        expect(() => checkSize("Pulumi.home.yaml", 60_000)).not.toThrow();
    });
});
