import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkGivenSecrets, checkRotations, readSecretDeclarations } from "../../../components/secret-declarations";

let root: string;

beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "hearth-secrets-"));
});

afterEach(() => rmSync(root, { recursive: true }));

function declare(chart: string, yaml: string): void {
    mkdirSync(join(root, "charts", chart), { recursive: true });
    writeFileSync(join(root, "charts", chart, "secrets.yaml"), yaml);
}

const generated = "{description: a password, generate: {length: 32, alphabet: alphanumeric}}";

describe("reading the declarations of charts", () => {
    test("required, generated and shared secrets", () => {
        declare("database", `secrets: {jellyfin: ${generated}}`);
        declare("jellyfin", "secrets: {password: {description: shared, from: {chart: database, key: jellyfin}}}");
        declare("cert-manager", "secrets: {token: {description: a token, required: true}}");
        const charts = ["database", "jellyfin", "cert-manager", "glance"];
        expect(Object.keys(readSecretDeclarations(root, charts))).toEqual(["database", "jellyfin", "cert-manager"]);
    });

    test.each([
        [
            "neither required nor generated",
            "secrets: {a: {description: x}}",
            /charts\/x\/secrets\.yaml: invalid secrets\.a: got .*, expected a description and one of/,
        ],
        [
            "too short to be a secret",
            "secrets: {a: {description: x, generate: {length: 2, alphabet: hex}}}",
            /secrets\.a/,
        ],
        [
            "shared from nowhere",
            "secrets: {a: {description: x, from: {chart: other, key: z}}}",
            /charts\/other\/secrets\.yaml declares no "z" of its own/,
        ],
        [
            "shared from one that is shared",
            "secrets: {a: {description: x, from: {chart: x, key: a}}}",
            /declares no "a" of its own/,
        ],
    ])("rejects a secret that is %s", (_, yaml, message) => {
        declare("x", yaml);
        expect(() => readSecretDeclarations(root, ["x"])).toThrow(message);
    });
});

describe("comparing with the stack's config", () => {
    const declarations = {
        "cert-manager": { token: { description: "API token of the DNS provider", required: true as const } },
        database: { admin: { description: "x", generate: { length: 32, alphabet: "hex" as const } } },
    };

    test("a generated secret may be set, to keep an existing one", () => {
        const given = { "cert-manager": { token: "t" }, database: { admin: "kept" } };
        expect(() => checkGivenSecrets(declarations, given, "home")).not.toThrow();
    });

    test("lists every missing secret with its purpose and the command that sets it", () => {
        expect(() => checkGivenSecrets(declarations, {}, "home")).toThrow(
            /cert-manager\.token: API token of the DNS provider\n\s+pulumi config set --stack home --secret --path 'hearth:secrets\.cert-manager\.token'/,
        );
    });

    test("lists every secret that no chart declares, without its value", () => {
        const check = () =>
            checkGivenSecrets(declarations, { "cert-manager": { token: "t" }, old: { key: "hunter2" } }, "home");
        expect(check).toThrow(/that no chart declares:\n {2}old\.key\n\s+pulumi config rm/);
        expect(check).not.toThrow(/hunter2/);
    });
});

describe("a value that a chart cannot use", () => {
    const declared = (form: "line" | "word" | "hex") => ({
        app: { key: { description: "x", form, required: true as const } },
    });

    test.each([
        ["line", "two words, 'quoted' and $(not run)", true],
        ["line", "two\nlines", false],
        ["word", "pass-word.1!", true],
        ["word", "--language=fr", false],
        ["word", "two words", false],
        // biome-ignore lint/suspicious/noTemplateCurlyInString: what Grafana would put a variable in place of
        ["word", "${HOME}", false],
        ["hex", "00ff", true],
        ["hex", "0xff", false],
    ] as const)("as a %s, %j: %j", (form, value, accepted) => {
        const check = () => checkGivenSecrets(declared(form), { app: { key: value } }, "home");
        if (accepted) {
            expect(check).not.toThrow();
        } else {
            expect(check).toThrow(/that their charts do not support:\n {2}app\.key: expected /);
            expect(check).not.toThrow(value);
        }
    });
});

describe("rotations in the stack's config", () => {
    const declarations = {
        database: { password: { description: "x", generate: { length: 24, alphabet: "hex" as const } } },
        app: { token: { description: "x", required: true as const } },
    };

    test("of a generated secret are accepted", () => {
        expect(() => checkRotations(declarations, {}, { database: { password: "2026-11-23" } }, "home")).not.toThrow();
    });

    test.each([
        ["a secret that is not there", {}, { database: { pasword: "2026-11-23" } }, "database.pasword"],
        ["a secret that is given", {}, { app: { token: "2026-11-23" } }, "app.token"],
        [
            "a generated secret whose value the config gives",
            { database: { password: "x" } },
            { database: { password: "2026-11-23" } },
            "database.password",
        ],
    ])("of %s are rejected, with the command that removes them", (_, given, rotations, name) => {
        expect(() => checkRotations(declarations, given, rotations, "home")).toThrow(
            `pulumi config rm --stack home --path 'hearth:rotations.${name}'`,
        );
    });
});
