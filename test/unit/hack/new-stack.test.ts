import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { isMap, parseDocument, stringify } from "yaml";
import { z } from "zod";
import { settingsSchema } from "../../../config/schema";
import { keepSettings, readAnswers } from "../../../hack/new-stack/answers";
import { kubeconfigMistake } from "../../../hack/new-stack/kubeconfig";
import { nameMistake } from "../../../hack/new-stack/name";
import { secretQuestions, settingQuestions } from "../../../hack/new-stack/questions";
import { readConfigMap, StackFile } from "../../../hack/new-stack/stack-file";

const root = resolve(__dirname, "../../..");
const example = readConfigMap(join(root, "Pulumi.home.yaml"));
const questions = settingQuestions(example, settingsSchema);
const question = (name: string) => {
    const found = questions.find(({ path }) => path.join(".") === name);
    if (!found) {
        throw new Error(`${name} is not asked`);
    }
    return found;
};

test("prompts for settings without a default, in the example's order, each with an explanation and a valid answer", () => {
    expect(questions.map(({ path }) => path.join("."))).toEqual([
        "domain",
        "kubeconfig",
        "loadBalancer.addresses",
        "letsencrypt.email",
        "letsencrypt.provider",
        "nfs.server",
        "nfs.path",
    ]);
    for (const { path, explanation, example: given, mistake } of questions) {
        expect({ path, explanation }).toEqual({ path, explanation: expect.stringMatching(/^[A-Z].{15,}\.$/) });
        expect({ path, mistake: mistake(given) }).toEqual({ path, mistake: undefined });
    }
});

test.each([
    ["domain", "Home", "expected a lower-case DNS name"],
    ["loadBalancer.addresses", "", "expected at least one range"],
    ["loadBalancer.addresses", "192.168.1.240/28, 192.168.1.9-192.168.1.1", "expected an IPv4 range"],
    ["letsencrypt.email", "me", "expected an e-mail address"],
    ["letsencrypt.provider", "godaddy", "expected one of cloudflare, digitalocean"],
    ["nfs.path", "export", "expected an absolute path"],
])("%s: %j is rejected with the schema's message", (name, answer, expected) => {
    expect(question(name).mistake(answer)).toContain(expected);
});

test("prompts for optional settings too, which may be left empty; multi-line settings are left to the file", () => {
    const map = parseDocument(
        "# The way in.\ndoor: front\n# Machines.\nnodes:\n  - name: a\nkey: { secure: x }\n",
    ).contents;
    const schema = z.strictObject({
        door: z.string().regex(/^\w+$/, "a word").optional(),
        nodes: z.array(z.strictObject({ name: z.string() })).optional(),
        key: z.string().optional(),
    });
    const [door, ...others] = isMap(map) ? settingQuestions(map, schema) : [];

    expect(others).toEqual([]);
    expect(door).toMatchObject({ path: ["door"], explanation: "The way in. Leave it empty to omit it." });
    expect(door?.mistake("")).toBeUndefined();
    expect(door?.mistake("a b")).toBe("expected a word");
});

test("without an answer for Let's Encrypt, its other settings are not prompted for", () => {
    expect(question("letsencrypt.email").mistake("")).toBeUndefined();
    expect(question("letsencrypt.email").explanation).toMatch(/^Certificates of Let's Encrypt.* Leave it empty/);
    expect(question("letsencrypt.provider")).toMatchObject({ optional: false, needs: ["letsencrypt", "email"] });
    expect(question("domain").needs).toBeUndefined();
});

test("secret answers go to Pulumi, and all others to the file", async () => {
    const plain: Record<string, unknown> = {};
    const encrypted: Record<string, string> = {};
    const file = {
        at: () => undefined,
        set: (path: readonly string[], value: unknown) => {
            plain[path.join(".")] = value;
        },
    };
    const vault = {
        set: async (path: readonly string[], value: string) => {
            encrypted[path.join(".")] = value;
        },
    };
    const answers = readAnswers("tierTimeout: 20m\nssh: {privateKey: x}\nstorage: {passphrase: w, ranges: [z]}\n");
    await keepSettings(file, vault, answers);

    expect(plain).toEqual({ tierTimeout: "20m", "storage.ranges": ["z"] });
    expect(encrypted).toEqual({ "ssh.privateKey": "x", "storage.passphrase": "w" });
});

test("prompts for required and optional secrets, and for a generated one only if it is volunteered", () => {
    const declarations = {
        media: {
            key: { description: "Of the provider.", required: true as const },
            extra: { description: "Of another.", optional: true as const },
            made: { description: "Made.", generate: { length: 32, alphabet: "hex" as const } },
        },
        other: { same: { description: "The same.", from: { chart: "media", key: "made" } } },
    };
    const asked = (volunteered: Record<string, Record<string, string>>) =>
        secretQuestions(declarations, volunteered).map(({ path }) => path.slice(1).join("."));

    expect(asked({})).toEqual(["media.key", "media.extra"]);
    expect(asked({ media: { made: "x" } })).toEqual(["media.key", "media.extra", "media.made"]);
    const [required, optional] = secretQuestions(declarations, {});
    expect(required?.mistake("")).toContain("not empty");
    expect(optional?.mistake("")).toBeUndefined();
});

test.each([
    ["haus", undefined],
    ["haus-2", undefined],
    ["home", "Pulumi.home.yaml is part of the repository"],
    ["sandbox", "Pulumi.sandbox.yaml is part of the repository"],
    ["../haus", "lower-case letters"],
    ["", "lower-case letters"],
])("a stack named %j", (name, expected) => {
    expect(nameMistake(name) ?? "").toContain(expected ?? "");
    expect(nameMistake(name) === undefined).toBe(expected === undefined);
});

test("unreadable answers are rejected without being repeated", () => {
    expect(() => readAnswers("hearth:domain: haus\nhearth:secrets: {canary: [\n")).toThrow(
        /^the answers on standard input: line \d+: /,
    );
    expect(() => readAnswers("hearth:secrets:\n  media: canary\n")).toThrow(
        "invalid hearth:secrets.media: got a string, expected an object",
    );
    expect(() => readAnswers("canary")).toThrow("expected an object");
    expect(readAnswers("")).toEqual({ secrets: {} });
});

describe("in a folder", () => {
    const before = process.cwd();
    let folder: string;

    beforeEach(() => {
        folder = mkdtempSync(join(tmpdir(), "hearth-new-stack-"));
        process.chdir(folder);
    });

    afterEach(() => {
        process.chdir(before);
        rmSync(folder, { recursive: true });
    });

    test("a kubeconfig is one that could work", () => {
        const kubeconfig = (cluster: string) =>
            stringify({
                "current-context": "home",
                contexts: [{ name: "home", context: { cluster, user: "admin" } }],
                clusters: [{ name: "home", cluster: { server: "https://192.168.1.10:6443" } }],
                users: [{ name: "admin", user: {} }],
            });
        writeFileSync("good", kubeconfig("home"));
        writeFileSync("wrong", kubeconfig("another"));
        writeFileSync("text", "{");

        expect(kubeconfigMistake("good")).toBeUndefined();
        expect(kubeconfigMistake(kubeconfig("home"))).toBeUndefined();
        for (const answer of ["wrong", kubeconfig("another")]) {
            expect(kubeconfigMistake(answer)).toContain("current context");
        }
        expect(kubeconfigMistake("text")).toContain("not valid YAML");
        for (const answer of ["nowhere", "."]) {
            expect(kubeconfigMistake(answer)).toMatch(/does not exist|is not a file/);
        }
    });

    test("a change keeps the rest of the file, with its comments and encrypted values", () => {
        const text = [
            "# mine",
            "config:",
            "  # where",
            "  hearth:domain: haus.example.org",
            "  hearth:secrets:",
            "    media:",
            "      key:",
            "        secure: v1:abc",
            "encryptionsalt: v1:def",
            "",
        ].join("\n");
        writeFileSync("Pulumi.haus.yaml", text);
        const file = new StackFile("haus", example);
        file.set(["domain"], "neu.example.org");

        expect(readFileSync("Pulumi.haus.yaml", "utf8")).toBe(text.replace("haus.example", "neu.example"));
        expect(file.at(["domain"])).toBe("neu.example.org");
        expect(file.at(["secrets", "media", "key"])).toBe("(secret)");
        expect(file.encryption()).toBe("passphrase");
    });

    test("a new file starts with its settings, each with the example's comment", () => {
        const file = new StackFile("haus", example);
        expect(file.encryption()).toBeUndefined();
        writeFileSync("Pulumi.haus.yaml", "encryptionsalt: v1:def\n");
        file.set(["nfs", "server"], "nas");
        file.set(["nfs", "path"], "/export");

        const text = readFileSync("Pulumi.haus.yaml", "utf8");
        expect(text).toMatch(/^config:\n( {2}#.*\n)+ {2}hearth:nfs:\n/);
        expect(parseDocument(text).toJSON()).toEqual({
            config: { "hearth:nfs": { server: "nas", path: "/export" } },
            encryptionsalt: "v1:def",
        });
    });

    test("a merge conflict is reported with its line, and the file is not changed", () => {
        const text = "config:\n  hearth:domain: a.example.org\n<<<<<<< HEAD\n  x: y\n=======\n";
        writeFileSync("Pulumi.haus.yaml", text);

        expect(() => new StackFile("haus", example).set(["domain"], "b.example.org")).toThrow(
            /^Pulumi\.haus\.yaml: line [345]/,
        );
        expect(readFileSync("Pulumi.haus.yaml", "utf8")).toBe(text);
    });
});
