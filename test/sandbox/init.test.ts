import { resolve } from "node:path";
import { parse, stringify } from "yaml";
import { readApplications } from "../../components/applications";
import { readSecretDeclarations, type SecretDeclarations } from "../../components/secret-declarations";
import { secretQuestions } from "../../hack/new-stack/questions";
import { privateKey, publicKey } from "../unit/keys";
import { Checkout } from "./checkout";

// Milliseconds for several runs of Pulumi.
jest.setTimeout(300_000);

const passphrase = "canary passphrase";
const key = "canary-vpn-key=";
const token = "canary-token";
const kubeconfig = stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "home",
    contexts: [{ name: "home", context: { cluster: "home", user: "admin" } }],
    clusters: [{ name: "home", cluster: { server: "https://192.168.1.10:6443" } }],
    users: [{ name: "admin", user: { token } }],
});

/** The secrets that the charts require. */
const secrets: Readonly<Record<string, string>> = {
    "qbittorrent.vpn-private-key": key,
    "qbittorrent.vpn-addresses": "10.64.12.34/32",
};

function declarations(): SecretDeclarations {
    const root = resolve(__dirname, "../..");
    const names = readApplications(root, "home").map(({ name }) => name);
    return readSecretDeclarations(root, names);
}

/** A person's answers, in the form of a stack's config. */
const answers = {
    "hearth:domain": "haus.example.org",
    "hearth:kubeconfig": kubeconfig,
    "hearth:loadBalancer": { addresses: ["192.168.1.240-192.168.1.250", "10.9.0.0/28"] },
    "hearth:nfs": { server: "nas", path: "/export/home" },
    "hearth:secrets": { qbittorrent: { "vpn-private-key": key, "vpn-addresses": "10.64.12.34/32" } },
};

let checkout: Checkout;

beforeEach(() => {
    checkout = new Checkout();
});

afterEach(() => checkout.remove());

const init = (given: object, environment: NodeJS.ProcessEnv = { PULUMI_CONFIG_PASSPHRASE: passphrase }) =>
    checkout.run(["hack/init", "haus"], stringify(given), environment);

/** Values in the new stack's file, as Pulumi reads them with the passphrase, by key. */
async function decrypted(): Promise<Record<string, { value: string; objectValue?: unknown; secret: boolean }>> {
    const command = ["npx", "pulumi", "config", "--stack", "haus", "--show-secrets", "--json", "--non-interactive"];
    const { output } = await checkout.run(command, "", { PULUMI_CONFIG_PASSPHRASE: passphrase });
    return JSON.parse(output.slice(output.indexOf("{"), output.lastIndexOf("}") + 1));
}

/** No part of a secret is in an argument or in a file, including Pulumi's own, except for files that the test wrote. */
function expectNoSecretLeft(...written: string[]): void {
    for (const secret of [passphrase, key, token]) {
        for (const form of [secret, Buffer.from(secret).toString("base64"), encodeURIComponent(secret)]) {
            expect(checkout.filesWith(form).filter((file) => !written.includes(file))).toEqual([]);
        }
        expect(checkout.pulumiCalls).not.toContain(secret);
    }
    expect(checkout.pulumiCalls).toContain("config set --secret --raw hearth:kubeconfig --stack haus");
}

test("creates a stack from answers on standard input: secrets encrypted, and no other copy of them left", async () => {
    const { code, output } = await init(answers);

    expect({ code, output }).toMatchObject({ code: 0, output: expect.stringContaining("is complete") });
    const file = checkout.read("Pulumi.haus.yaml");
    expect(parse(file).config).toEqual({
        ...answers,
        "hearth:kubeconfig": { secure: expect.any(String) },
        "hearth:secrets": {
            qbittorrent: {
                "vpn-private-key": { secure: expect.any(String) },
                "vpn-addresses": { secure: expect.any(String) },
            },
        },
    });
    // The file has the example's comments.
    expect(file).toMatch(/# .*<service>\.<domain>.*\n {2}hearth:domain: haus\.example\.org/);
    const config = await decrypted();
    expect(config["hearth:kubeconfig"]).toEqual({ value: kubeconfig, secret: true });
    expect(config["hearth:secrets"]?.objectValue).toEqual(answers["hearth:secrets"]);
    expectNoSecretLeft();
    expect(output).not.toContain("canary");

    // A second run finds all answers, and changes nothing.
    expect(await init({})).toHaveEndedWith(0);
    expect(checkout.read("Pulumi.haus.yaml")).toBe(file);

    // A wrong passphrase is reported, and nothing is changed.
    const stranger = await init({}, { PULUMI_CONFIG_PASSPHRASE: "another" });
    expect(stranger).toEqual({
        code: 1,
        output: "hack/init: PULUMI_CONFIG_PASSPHRASE is not the passphrase of Pulumi.haus.yaml\n",
    });
    expect(checkout.read("Pulumi.haus.yaml")).toBe(file);
});

test("accepts Debian hosts instead of a kubeconfig, and encrypts their private key", async () => {
    const { "hearth:kubeconfig": _, ...rest } = answers;
    const node = { name: "n1", address: "192.168.1.11", user: "root", role: "server", hostKey: publicKey };
    const { code, output } = await init({ ...rest, "hearth:nodes": [node], "hearth:ssh": { privateKey } });

    expect({ code, output }).toMatchObject({ code: 0, output: expect.stringContaining("is complete") });
    const { config } = parse(checkout.read("Pulumi.haus.yaml"));
    expect(config["hearth:nodes"]).toEqual([node]);
    expect(config["hearth:ssh"]).toEqual({ privateKey: { secure: expect.any(String) } });
    expect(config).not.toHaveProperty("hearth:kubeconfig");
    expect(checkout.filesWith(privateKey.split("\n")[1] ?? "")).toEqual([]);
    expect(output).not.toContain("canary");
});

test("reports all mistakes in the answers at once, without secrets, and writes nothing", async () => {
    const { code, output } = await init({
        ...answers,
        "hearth:domain": "Haus",
        "hearth:kubeconfig": undefined,
        "hearth:nfss": {},
        "hearth:secrets": { qbittorrent: { "vpn-private-key": key }, immich: { "api-key": "canary-other" } },
    });

    expect(code).toBe(2);
    for (const expected of [
        'hearth:domain: got "Haus", expected a lower-case DNS name',
        "hearth:kubeconfig: got nothing",
        'unknown hearth:nfss: did you mean "nfs"?',
        "qbittorrent.vpn-addresses: Address that the VPN provider gave",
        "that no chart declares",
        "immich.api-key",
    ]) {
        expect(output).toContain(expected);
    }
    expect(output).not.toContain("canary");
    expect(checkout.filesWith("encryptionsalt")).not.toContain("Pulumi.haus.yaml");
});

test("prompts a user, shows no secret, and can be stopped and resumed", async () => {
    checkout.write("k.yaml", kubeconfig);
    const first = checkout.dialog("hack/init");
    await first.answer("Name of the stack", "haus\r");
    await first.answer("A new passphrase", "short\r");
    await first.answer("at least 12 characters", `${passphrase}\r`);
    await first.answer("Repeat the passphrase", "not the same\r");
    await first.answer("expected the same passphrase", `${passphrase}\r`);
    await first.answer("every service is at <service>.<domain>", "");
    await first.answer("hearth:domain", "Haus\r");
    await first.answer("expected a lower-case DNS name", "\x15haus.example.org\r");
    await first.answer("hearth:kubeconfig", "nowhere.yaml\r");
    await first.answer("does not exist", "\x15k.yaml\r");
    await first.answer("encrypted", "y");
    await first.answer("hearth:loadBalancer.addresses", "\x03");
    const interrupted = await first.end();

    expect(interrupted.code).toBe(130);
    expect(interrupted.output).toContain("rerun it to continue");

    const second = checkout.dialog("hack/init haus");
    await second.answer("Passphrase of Pulumi.haus.yaml", "not that one\r");
    await second.answer("Wrong passphrase", "");
    await second.answer("Passphrase of Pulumi.haus.yaml", `${passphrase}\r`);
    await second.answer("hearth:domain: haus.example.org", "");
    await second.answer("hearth:loadBalancer.addresses", "192.168.1.240-192.168.1.250, 10.9.0.0/28\r");
    await second.answer("hearth:letsencrypt.email", "\r");
    await second.answer("hearth:nfs.server", "nas\r");
    await second.answer("hearth:nfs.path", "/export/home\r");
    for (const { path, optional } of secretQuestions(declarations(), {})) {
        const title = `hearth:${path.join(".")}`;
        if (optional) {
            await second.answer(title, "\r");
        } else {
            const [, chart, name] = path;
            await second.answer(title, "\r");
            await second.answer("expected a string that is not empty", `${secrets[`${chart}.${name}`]}\r`);
        }
    }
    const done = await second.end();

    expect(done).toMatchObject({ code: 0, output: expect.stringContaining("Pulumi.haus.yaml is complete") });
    expect(interrupted.output + done.output).not.toContain("canary");
    expect(checkout.filesWith(token)).toEqual(["k.yaml"]);
    expectNoSecretLeft("k.yaml");
    const config = await decrypted();
    expect(config["hearth:kubeconfig"]).toEqual({ value: kubeconfig, secret: true });
    expect(config["hearth:secrets"]?.objectValue).toEqual(answers["hearth:secrets"]);
    expect(config["hearth:loadBalancer"]?.objectValue).toEqual(answers["hearth:loadBalancer"]);
});

test("Pulumi's own command changes the passphrase of the file, as docs/secrets.md describes", async () => {
    await init(answers);
    const before = checkout.read("Pulumi.haus.yaml");

    const dialog = checkout.dialog("npx pulumi stack change-secrets-provider passphrase --stack haus");
    await dialog.answer("Enter your passphrase to unlock", `${passphrase}\r`);
    await dialog.answer("Enter your new passphrase to protect", "another passphrase\r");
    await dialog.answer("Re-enter your new passphrase", "another passphrase\r");
    expect(await dialog.end()).toHaveEndedWith(0);

    const read = ["npx", "pulumi", "config", "get", "--path", "hearth:secrets.qbittorrent.vpn-private-key"];
    const get = (given: string) =>
        checkout.run([...read, "--stack", "haus", "--non-interactive"], "", { PULUMI_CONFIG_PASSPHRASE: given });
    expect(await get("another passphrase")).toMatchObject({ code: 0, output: expect.stringContaining(key) });
    expect(await get(passphrase)).toMatchObject({ output: expect.stringContaining("incorrect passphrase") });
    // Plain values are unchanged, and every secret is re-encrypted.
    const plain = (text: string) => text.replace(/(secure|encryptionsalt): .*/g, "$1");
    const after = checkout.read("Pulumi.haus.yaml");
    expect(plain(after)).toBe(plain(before));
    const values = (text: string): string[] => text.match(/secure: .*/g) ?? [];
    expect(values(after).filter((value) => values(before).includes(value))).toEqual([]);
});
