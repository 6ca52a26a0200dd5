import fc from "fast-check";
import { parse } from "yaml";
import { clusterValue, readYaml, readYamlStream, toYaml, YamlError, yamlString } from "../../../config/yaml";

/** Unquoted values that people write; the cluster's value; true if all readers agree. */
const table: readonly (readonly [text: string, cluster: unknown, agreed: boolean])[] = [
    ["0644", 420, false],
    ["-0644", -420, false],
    ["0o644", 420, true],
    ["0b11", 3, false],
    ["0x1F", 31, true],
    ["0X1F", 31, false],
    ["123456789012345678", 123456789012345680, false],
    ["no", false, false],
    ["Off", false, false],
    ["y", true, false],
    ["yes", true, false],
    ["true", true, true],
    ["1_000", 1000, false],
    ["1e3", 1000, true],
    ["61e9540", "61e9540", false],
    [".inf", Number.POSITIVE_INFINITY, false],
    ["2026-11-23", "2026-11-23", false],
    ["12:30", "12:30", true],
    ["1.10", 1.1, true],
    ["~", null, true],
    ["08", 8, true],
    ["192.168.1.1", "192.168.1.1", true],
    ["v1.2.3", "v1.2.3", true],
];

test.each(table)("kind 3: %s means %p in the cluster (B28)", (text, cluster, agreed) => {
    expect(clusterValue(text)).toBe(cluster);
    expect(readYamlStream(`a: ["${text}"]`)).toEqual([{ a: [text] }]);
    if (agreed) {
        expect(readYaml(`a: ${text}`)).toEqual({ a: cluster });
    } else {
        expect(() => readYaml(`x: 1\na: ${text}`)).toThrow(new RegExp(`^line 2: .*write ${JSON.stringify(text)}`));
    }
});

test("kind 3: generated YAML is read as the cluster reads it", () => {
    const text = "mode: 0644\nenabled: yes\n8080: x\nno: y\nbase: &b { a: 1 }\nmore: { <<: *b, b: 2 }\n";
    expect(readYamlStream(text, { generated: true })).toEqual([
        { mode: 420, enabled: true, 8080: "x", false: true, base: { a: 1 }, more: { a: 1, b: 2 } },
    ]);
});

test.each([
    ["a list", "? [a]\n: b\n"],
    ["a map", "? {a: 1}\n: b\n"],
    ["nothing", "~: a\n"],
])("kind 3: a key that is %s, which the cluster rejects, is rejected", (_, text) => {
    expect(() => readYaml(text)).toThrow(/^line \d: a key (that is not a string|without a name)/);
});

test("kind 3: merge keys are merged (B28)", () => {
    expect(readYaml("c: &c { a: 1 }\nd:\n  <<: *c\n  b: 2\n")).toEqual({ c: { a: 1 }, d: { a: 1, b: 2 } });
});

/** Scalars around everything that versions of YAML disagree about. */
const scalars = fc.oneof(
    fc.constantFrom(...table.map(([text]) => text)),
    fc
        .array(fc.constantFrom(..."0123456789", "_", ".", "e", "E", "+", "-", ":", "0x", "0o", "0b", "inf", "nan"), {
            minLength: 1,
            maxLength: 6,
        })
        .map((parts) => parts.join("")),
    fc
        .constantFrom("y", "n", "yes", "no", "on", "off", "true", "false", "null")
        .chain((word) => fc.constantFrom(word, word.toUpperCase(), (word[0] ?? "").toUpperCase() + word.slice(1))),
);

test("kind 3: a scalar has the same value for the cluster, YAML 1.2 and this program, or is rejected", () => {
    const refused = new Set<string>();
    fc.assert(
        fc.property(scalars, (text) => {
            let read: unknown;
            try {
                read = Object(readYaml(`a: ${text}\n`)).a;
            } catch (error) {
                refused.add(text);
                return error instanceof YamlError;
            }
            // test/charts/readers.test.ts compares Helm's result.
            return read === clusterValue(text) && read === parse(`a: ${text}\n`).a;
        }),
        { numRuns: 5_000 },
    );
    // The generator has covered the listed cases.
    expect([...refused]).toEqual(expect.arrayContaining(["0644", "no", "61e9540", "1_000", "123456789012345678"]));
});

test("kind 3: a written string is read back unchanged by the cluster and by YAML 1.2", () => {
    fc.assert(
        fc.property(fc.oneof(scalars, fc.string()), (text) => {
            const written = yamlString(text);
            return parse(`a: ${written}\n`).a === text && (/^["'|>]/.test(written) || clusterValue(written) === text);
        }),
        { numRuns: 3_000 },
    );
});

test("kind 3: a written object is read back unchanged by this program, which rejects values that readers disagree about", () => {
    fc.assert(
        fc.property(fc.dictionary(fc.oneof(scalars, fc.constantFrom("a", "b")), fc.array(scalars)), (value) => {
            expect(readYaml(toYaml({ kept: value }))).toEqual({ kept: value });
        }),
        { numRuns: 1_000 },
    );
});
