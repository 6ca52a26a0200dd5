import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { clusterValue, readYaml, YamlError, yamlString } from "../../config/yaml";
import { tool } from "../../toolchain/tools";
import { helms } from "./workspace";

const scalars = fc.oneof(
    fc
        .array(fc.constantFrom(..."0123456789", "_", ".", "e", "E", "+", "-", ":", "0x", "0o", "0b", ".inf", ".nan"), {
            minLength: 1,
            maxLength: 7,
        })
        .map((parts) => parts.join("")),
    fc
        .constantFrom("y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "~")
        .chain((word) => fc.constantFrom(word, word.toUpperCase(), (word[0] ?? "").toUpperCase() + word.slice(1))),
    fc.constantFrom(
        "0644",
        "123456789012345678",
        "61e9540",
        "2026-11-23",
        "12:30",
        "1_000",
        "0b11",
        "08",
        "1.10",
        "=",
        "<<",
    ),
);

let folder: string;

beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "hearth-readers-"));
    mkdirSync(join(folder, "templates"));
    writeFileSync(join(folder, "Chart.yaml"), "apiVersion: v2\nname: readers\nversion: 1.0.0\n");
    // One YAML document for each line, and Helm's value for each.
    writeFileSync(join(folder, "templates/values.yaml"), "# {{ .Values.all | toJson }}\n");
});

afterAll(() => rmSync(folder, { recursive: true }));

/** Helm's values for scalars, each in one line of a values file. */
function inHelm(helm: (typeof helms)[number], written: readonly string[]): unknown[] {
    const values = ["all:", ...written.map((text) => `  - ${text}`), ""].join("\n");
    writeFileSync(join(folder, "values.yaml"), values);
    const output = execFileSync(tool(helm), ["template", "x", folder], { encoding: "utf8", env: { HOME: folder } });
    // -0 and 0 are the same number; Helm prints the sign, and JavaScript's JSON does not.
    return JSON.parse(/# (\[.*\])/.exec(output)?.[1] ?? "[]", (_key, value) => (value === 0 ? 0 : value));
}

describe.each(helms)("kind 3: %s", (helm) => {
    test("parses every accepted scalar to the same value as this program", () => {
        const samples = [...new Set(fc.sample(scalars, 4_000))];
        const refused: string[] = [];
        const accepted = samples.filter((text) => {
            try {
                readYaml(`a: ${text}\n`);
                return true;
            } catch (error) {
                expect(error).toBeInstanceOf(YamlError);
                refused.push(text);
                return false;
            }
        });
        expect(accepted.length).toBeGreaterThan(100);
        expect(refused).toEqual(expect.arrayContaining(["0644", "no", "61e9540", "1_000", "123456789012345678"]));
        const read = accepted.map((text) => Object(readYaml(`a: ${text}\n`)).a);
        expect(inHelm(helm, accepted)).toEqual(JSON.parse(JSON.stringify(read)));
    });

    test("reads generated YAML to the same value as this program", () => {
        const samples = [...new Set(fc.sample(scalars, 4_000))].filter((text) => {
            const value = clusterValue(text);
            // JSON has no infinity, and Helm has no integers above 2⁵³.
            return (
                !/^[-:=<]|: |:$/.test(text) &&
                (typeof value !== "number" || (Number.isFinite(value) && Math.abs(value) < 2 ** 53))
            );
        });
        expect(inHelm(helm, samples)).toEqual(JSON.parse(JSON.stringify(samples.map(clusterValue))));
    });

    test("reads back the string that was written", () => {
        const samples = fc.sample(fc.oneof(scalars, fc.string()), 1_000).filter((text) => !text.includes("\n"));
        expect(inHelm(helm, samples.map(yamlString))).toEqual(samples);
    });
});
