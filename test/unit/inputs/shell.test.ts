import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { byNamespace, isHook, parseManifests } from "../../../hack/manifests";
import { withPrivateFile } from "../../../hack/private-file";

const root = resolve(__dirname, "../../..");

describe("kind 7: shell environments", () => {
    test("a reader that closes the pipe early ends a verb without a message (B40)", async () => {
        const child = spawn(join(root, "hack/completion"), ["bash"], { stdio: ["ignore", "pipe", "pipe"] });
        child.stdout.destroy();
        let errors = "";
        child.stderr.on("data", (chunk) => {
            errors += chunk;
        });
        const code = await new Promise((done) => child.once("close", done));
        expect({ code, errors }).toEqual({ code: 0, errors: "" });
    });

    test("a private file is created where neither XDG_RUNTIME_DIR nor TMPDIR names a folder", async () => {
        const { XDG_RUNTIME_DIR, TMPDIR } = process.env;
        Object.assign(process.env, { XDG_RUNTIME_DIR: "/run/user/no-such-user", TMPDIR: "/no-such-folder" });
        try {
            const path = await withPrivateFile("kubeconfig", "x", async (file) => {
                expect(existsSync(file)).toBe(true);
                return file;
            });
            expect(existsSync(path)).toBe(false);
        } finally {
            for (const [name, value] of Object.entries({ XDG_RUNTIME_DIR, TMPDIR })) {
                if (value === undefined) {
                    delete process.env[name];
                } else {
                    process.env[name] = value;
                }
            }
        }
    });
});

describe("kind 5: charts as people write them", () => {
    const object = (more: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n${more}`;

    test("empty annotations count as none (B30)", () => {
        const [manifest] = parseManifests(object("  annotations:\n"));
        expect(manifest && isHook(manifest)).toBe(false);
    });

    test("an object without a namespace belongs to its Application's (B33)", () => {
        const manifests = parseManifests(`${object("")}---\n${object("  namespace: other\n")}`);
        expect([...byNamespace(manifests, "app")].map(([namespace, all]) => [namespace, all.length])).toEqual([
            ["app", 1],
            ["other", 1],
        ]);
    });

    test("a list is replaced by its objects", () => {
        const list = `apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: b}}\n`;
        expect(parseManifests(list).map(({ metadata }) => metadata.name)).toEqual(["a", "b"]);
    });

    test("a mode in octal digits has the cluster's value (B28)", () => {
        expect(parseManifests(object("data: { mode: 0644 }\n"))).toMatchObject([{ data: { mode: 420 } }]);
    });

    test("a document that is not an object is rejected with a message", () => {
        expect(() => parseManifests("just text\n")).toThrow(/the chart renders a document/);
    });
});
