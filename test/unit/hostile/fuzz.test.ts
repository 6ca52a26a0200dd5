import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { stringify } from "yaml";
import { readApplications } from "../../../components/applications";
import { readSecretDeclarations } from "../../../components/secret-declarations";
import { settingFields } from "../../../config/schema";
import { parseSettings } from "../../../config/settings";
import { readStackFile } from "../../../config/stack-file";
import { Failure } from "../../../lib/failure";
import { configs, namesOf, rawConfig } from "./configs";
import { placesOf, withText } from "./values";

/** Any text: with halves of characters, control characters and all planes. */
const anyText = fc.string({ unit: "binary", maxLength: 200 });
const anyValue = fc.anything({
    key: fc.oneof(anyText, fc.constantFrom("__proto__", "constructor", "secure", ...Object.keys(settingFields.shape))),
    values: [anyText, fc.integer(), fc.double(), fc.boolean(), fc.constant(null)],
    maxDepth: 4,
});
const places = placesOf(settingFields, namesOf);

/** Calls a parser; any error except a Failure is a defect. */
function messageOf(reading: () => unknown): string | undefined {
    try {
        reading();
        return undefined;
    } catch (error) {
        if (error instanceof Failure) {
            return error.message;
        }
        throw error;
    }
}

const isReadable = (message: string) => message.length < 20_000 && !/[^\n\P{Cc}]|[\p{Cf}\p{Cs}]/u.test(message);

/** Reports whether a message about any input is readable. */
function alwaysReadable<T>(values: fc.Arbitrary<T>, reading: (value: T) => unknown, numRuns = 300): void {
    fc.assert(
        fc.property(values, (value) => isReadable(messageOf(() => reading(value)) ?? "")),
        { numRuns },
    );
}

let root: string;

beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), "hearth-fuzz-"));
    mkdirSync(join(root, "clusters/home/apps"), { recursive: true });
    mkdirSync(join(root, "charts/a"), { recursive: true });
    writeFileSync(join(root, "charts/a/Chart.yaml"), "name: a\n");
});

afterAll(() => rmSync(root, { recursive: true }));

test("any config is accepted, or rejected with a readable message", () => {
    alwaysReadable(
        fc.dictionary(fc.oneof(anyText, fc.constantFrom(...Object.keys(settingFields.shape))), anyText),
        (values) => parseSettings({ stack: "home", values, secretKeys: new Set() }),
    );
    alwaysReadable(fc.dictionary(fc.constantFrom(...Object.keys(settingFields.shape)), anyValue), (config) =>
        parseSettings(rawConfig(Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined)))),
    );
});

test("a valid config with one arbitrary change is accepted, or rejected with a readable message", () => {
    const config = fc.constantFrom(...Object.values(configs));
    alwaysReadable(fc.tuple(config, fc.constantFrom(...places), anyText), ([good, place, text]) =>
        parseSettings(rawConfig(withText(good, place, text) as object)),
    );
});

test("no message contains a secret, wherever the mistake is", () => {
    const secret = "correct-horse-battery-staple";
    const places = ["kubeconfig", "secrets", "ssh", "storage", "gitea"] as const;
    fc.assert(
        fc.property(
            fc.constantFrom(...places),
            fc.constantFrom(secret, [secret], { x: secret }, { privateKey: secret }, { password: ["", secret] }),
            (key, value) =>
                !messageOf(() =>
                    parseSettings(rawConfig({ ...configs["an existing cluster"], [key]: value })),
                )?.includes(secret),
        ),
        { numRuns: 100 },
    );
});

const files: Readonly<Record<string, [path: string, read: (path: string) => unknown]>> = {
    "a manifest": ["clusters/home/apps/a.yaml", () => readApplications(root, "home")],
    "secrets.yaml": ["charts/a/secrets.yaml", () => readSecretDeclarations(root, ["a"])],
    "a stack's file": ["Pulumi.home.yaml", readStackFile],
};

/** Strings that look like YAML, and strings that do not. */
const anyYaml = fc.oneof(
    anyText,
    anyValue.map((value) => {
        try {
            return stringify(value);
        } catch {
            return "";
        }
    }),
    fc
        .array(
            fc.constantFrom(
                "a",
                ": ",
                "- ",
                "\n",
                "  ",
                "&a ",
                "*a",
                "{",
                "}",
                "[",
                "]",
                "'",
                '"',
                "|",
                ">",
                "!!str ",
                "<<: ",
                "? ",
                "%",
                "\t",
            ),
            {
                maxLength: 60,
            },
        )
        .map((parts) => parts.join("")),
);

test.each(Object.keys(files))("any string as %s is accepted, or rejected with a readable message", (name) => {
    const [path, read] = files[name] ?? ["", () => undefined];
    alwaysReadable(anyYaml, (text) => {
        writeFileSync(join(root, path), text);
        return read(join(root, path));
    });
});
