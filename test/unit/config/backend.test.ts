import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { backendFolder, checkFreeSpace } from "../../../config/backend";

test.each([
    ["file://./.state", "/home/me/hearth", "/home/me/hearth/.state"],
    ["file:///srv/state?no_tmp_dir=true", "/home/me/hearth", "/srv/state"],
    ["file://~", "/home/me/hearth", homedir()],
    ["s3://bucket", "/home/me/hearth", undefined],
    ["https://api.pulumi.com", "/home/me/hearth", undefined],
])("the folder of the backend %s", (url, root, expected) => {
    expect(backendFolder(url, root)).toBe(expected);
});

describe("a run starts", () => {
    const given = process.env["PULUMI_BACKEND_URL"];
    let root: string;

    beforeEach(() => {
        root = mkdtempSync(join(tmpdir(), "hearth-backend-"));
        delete process.env["PULUMI_BACKEND_URL"];
    });

    afterEach(() => {
        rmSync(root, { recursive: true });
        if (given !== undefined) {
            process.env["PULUMI_BACKEND_URL"] = given;
        }
    });

    test.each([
        ["where the state has room", "backend: { url: 'file://.' }"],
        ["without a state", "backend: { url: 'file://./.state' }"],
        ["with a backend elsewhere", "backend: { url: 's3://bucket' }"],
        ["with any backend that the user has logged in to", ""],
    ])("%s", (_, backend) => {
        writeFileSync(join(root, "Pulumi.yaml"), `name: hearth\n${backend}\n`);

        expect(() => checkFreeSpace(root)).not.toThrow();
    });
});
