import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readStackFile } from "../../../config/stack-file";

let file: string;

beforeEach(() => {
    file = join(mkdtempSync(join(tmpdir(), "hearth-stack-")), "Pulumi.home.yaml");
});

afterEach(() => rmSync(join(file, ".."), { recursive: true }));

test("finds every encrypted value at any depth", () => {
    const lines = [
        "config:",
        "  hearth:kubeconfig:",
        "    secure: v1:a",
        "  hearth:secrets:",
        "    app:",
        "      token:",
    ];
    writeFileSync(file, [...lines, "        secure: v1:b", "    other: {}", ""].join("\n"));

    expect(readStackFile(file)).toMatchObject({
        config: { "hearth:kubeconfig": { secure: "v1:a" } },
        encrypted: [["hearth:kubeconfig"], ["hearth:secrets", "app", "token"]],
    });
});

test.each(["kubeconfig.yaml # from node-1", "kubeconfig.yaml  ", "&path kubeconfig.yaml"])(
    "the path of a kubeconfig may be written as %j",
    (written) => {
        writeFileSync(file, `config:\n  hearth:kubeconfig: ${written}\n`);

        expect(readStackFile(file).config).toEqual({ "hearth:kubeconfig": "kubeconfig.yaml" });
    },
);

test.each([
    [
        "a merge conflict",
        "config:\n<<<<<<< HEAD\n  a: 1\n=======\n  a: 2\n>>>>>>> branch\n",
        "line 2 is a merge conflict",
    ],
    ["invalid YAML", "config:\n  a: [1\n  b: 2\n", ": line "],
])("reports the line of %s", (_, text, expected) => {
    writeFileSync(file, text);

    expect(() => readStackFile(file)).toThrow(expected);
    expect(() => readStackFile(file)).toThrow(file);
});

test("rejects a self-referencing map with its line", () => {
    writeFileSync(file, "config: &all\n  hearth:domain: home.arpa\n  other: *all\n");

    expect(() => readStackFile(file)).toThrow(/line 3: an alias of an object that contains it/);
});

test("a folder with the file's name is reported", () => {
    mkdirSync(file);

    expect(() => readStackFile(file)).toThrow(`${file} is not a file`);
});
