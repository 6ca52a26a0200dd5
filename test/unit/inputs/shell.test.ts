import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { capture } from "../../../hack/capture";
import { byNamespace, isHook, parseManifests } from "../../../hack/manifests";
import { withPrivateFile } from "../../../hack/private-file";
import { defineVerb, type Verb } from "../../../hack/verb";
import { describe as describeError, Failure } from "../../../lib/failure";
import { temporaryFolder } from "../../../lib/temporary-folder";

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

/** A verb in this process, called like in hack/main.ts. */
function call(name: string, ...args: string[]): Promise<number> {
    const { verb }: { verb: Verb } = require(`../../../hack/verbs/${name}`);
    return verb(name, args);
}

const verbs = readdirSync(join(root, "hack/verbs")).map((file) => file.replace(/\.ts$/, ""));
/** Required arguments of a verb. */
const required: Readonly<Record<string, string>> = {
    ...{ install: "jellyfin", uninstall: "jellyfin", template: "jellyfin", restore: "jellyfin" },
    ...{
        reboot: "a",
        unlock: "a",
        power: "off",
        "forget-node": "a",
        "preview-comment": "main",
        "what-if": "--upgrade",
    },
};
const withStack = verbs.filter(
    // The doctor reports it among its findings.
    (name) => name !== "doctor" && readFileSync(join(root, `hack/verbs/${name}.ts`), "utf8").includes("stackOption"),
);

describe("kind 7: command lines as scripts and people write them", () => {
    test.each(withStack)("hack/%s with two stacks means the last one, and an empty one is refused", async (name) => {
        const rest = [required[name] ?? []].flat();
        const others = "stacks here: home, sandbox";
        const called = (...given: string[]) => expect(call(name, ...rest, ...given)).rejects;
        await called("-s", "home", "-s", "no-such").toThrow(
            new Failure(`Pulumi.no-such.yaml does not exist; ${others}`),
        );
        await called("--stack=").toThrow(/invalid --stack: got "", expected the name of a stack: home, sandbox/);
        await called("-s", "../../etc/passwd").toThrow(/invalid --stack: got "\.\.\/\.\.\/etc\/passwd"/);
    });

    test("an option that may be repeated keeps all of its values", async () => {
        const seen: unknown[] = [];
        const verb = defineVerb({
            describe: "x",
            options: (parser) =>
                parser.options({
                    node: { type: "string", array: true, nargs: 1 },
                    at: { type: "string", requiresArg: true },
                    port: { type: "number" },
                }),
            run: async ({ node, at, port }) => seen.push(node, at, port),
        });
        await verb("x", ["--node", "a", "--at", "1", "--node", "b", "--at", "2", "--port", "3", "--port", "4"]);
        expect(seen).toEqual([["a", "b"], "2", 4]);
    });

    test("a path that the shell completed is answered with the chart's name", async () => {
        await expect(call("template", "charts/jellyfin/", "-s", "home")).rejects.toThrow(/did you mean "jellyfin"/);
    });

    test("output that cannot be written, as on a full disk, is an error", async () => {
        const file = join(mkdtempSync(join(tmpdir(), "hearth-full-")), "out");
        const script = `trap "" XFSZ; ulimit -f 0; exec ${join(root, "hack/completion")} bash > ${file}`;
        const { status, stderr } = spawnSync("bash", ["-c", script], { encoding: "utf8" });
        expect({ status, stderr }).toEqual({
            status: 1,
            stderr: "hack/completion: standard output: EFBIG: file too large, write\n",
        });
    });

    test("an old Node.js is reported as such, not by the code that fails", () => {
        const script = `require("node:module").enableCompileCache = undefined; require("${root}/toolchain/compile.cjs").load("hack")`;
        const { status, stderr } = spawnSync(process.execPath, ["-e", script], { encoding: "utf8" });
        expect(status).toBe(2);
        expect(stderr).toMatch(/^Node\.js \S+ is too old: install 22\.12 or newer.*\n$/);
    });
});

describe("kind 7: errors of the system", () => {
    test("have its message, with the file and without a stack trace", () => {
        for (const path of ["/no/such/file", "/"]) {
            let error: unknown;
            try {
                readFileSync(path);
            } catch (caught) {
                error = caught;
            }
            expect(describeError(error)).toMatch(/^E\w+: [a-z ]+, \w+[^\n]*$/);
        }
        expect(describeError(new TypeError("a defect"))).toMatch(/\n\s+at /);
    });

    test("a folder for temporary files is found where TMPDIR names none", () => {
        const { TMPDIR } = process.env;
        process.env["TMPDIR"] = "/no-such-folder";
        try {
            const folder = temporaryFolder();
            expect(existsSync(folder)).toBe(true);
            rmSync(folder, { recursive: true });
        } finally {
            Object.assign(process.env, { TMPDIR });
            if (TMPDIR === undefined) {
                delete process.env["TMPDIR"];
            }
        }
    });

    test("a program that is not installed, or takes too long, is reported by name", async () => {
        const failure = "it does not work";
        await expect(capture("no-such-program", [], { failure })).rejects.toThrow(
            new Failure("it does not work: no-such-program is not installed"),
        );
        await expect(capture("tail", ["-f", "/dev/null"], { failure, limit: 0.2 })).rejects.toThrow(
            new Failure("it does not work: tail did not exit within 0.2 s"),
        );
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

    test("a hook whose name Kubernetes generates is one, and an object of that kind is not applied", () => {
        const job = (annotations: string) =>
            `apiVersion: batch/v1\nkind: Job\nmetadata: { generateName: migrate-, annotations: ${annotations} }\n`;
        const [hook] = parseManifests(job("{ argocd.argoproj.io/hook: PreSync }"));
        expect(hook && isHook(hook)).toBe(true);
        expect(hook?.metadata.name).toBe("migrate-");
        expect(() => parseManifests(job("{}"))).toThrow(/renders Job without an apiVersion, a kind or a name/);
    });

    test("an object whose kind ends like a list's is an object, and a list may be empty", () => {
        const object = "apiVersion: x/v1\nkind: AllowList\nmetadata: { name: a }\nitems: []\n";
        expect(parseManifests(`${object}---\napiVersion: v1\nkind: List\nitems:\n`)).toMatchObject([
            { kind: "AllowList" },
        ]);
    });

    test("an empty namespace is none", () => {
        const [manifest] = parseManifests(object('  namespace: ""\n'));
        expect([...byNamespace(manifest ? [manifest] : [], "app").keys()]).toEqual(["app"]);
    });

    test("a mode in octal digits has the cluster's value (B28)", () => {
        expect(parseManifests(object("data: { mode: 0644 }\n"))).toMatchObject([{ data: { mode: 420 } }]);
    });

    test("a document that is not an object is rejected with a message", () => {
        expect(() => parseManifests("just text\n")).toThrow(/the chart renders a document/);
    });
});
