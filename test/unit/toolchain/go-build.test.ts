import {
    chmodSync,
    existsSync,
    mkdirSync,
    mkdtempSync,
    readdirSync,
    readlinkSync,
    rmSync,
    symlinkSync,
    writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { homedir, tmpdir } from "node:os";
import { join, relative } from "node:path";
import { root } from "../../../lib/root";
import type * as Build from "../../../toolchain/build";
import type * as GoBuild from "../../../toolchain/go-build";
import type * as Tools from "../../../toolchain/tools";

/** Milliseconds for Go to compile its runtime, on a machine that has not yet. */
const limit = 180_000;

const before = { ...process.env };
let folder: string;
let goBuild: typeof GoBuild;
let tools: typeof Tools;

beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "hearth-go-"));
    process.env["XDG_CACHE_HOME"] = folder;
    process.env["GOCACHE"] ??= join(homedir(), ".cache/go-build");
    process.env["GOMODCACHE"] = join(folder, "modules");
    process.env["GOSUMDB"] = "off";
    process.env["GOTOOLCHAIN"] = "local";
    jest.resetModules();
    goBuild = require("../../../toolchain/go-build");
    tools = require("../../../toolchain/tools");
});

afterEach(() => {
    rmSync(folder, { recursive: true });
    process.env = { ...before };
});

function write(file: string, ...lines: string[]): void {
    mkdirSync(join(folder, file, ".."), { recursive: true });
    writeFileSync(join(folder, file), `${lines.join("\n")}\n`);
}

/** A program with its own module in the shared one; it prints its version. */
function program(name: string): Tools.GoTool {
    write(`${name}/go.mod`, `module example.com/${name}`, "go 1.26");
    write(`${name}/main.go`, "package main", "var version string", "func main() { print(version) }");
    return {
        folder: relative(join(root, "toolchain"), folder),
        sources: name,
        module: `example.com/${name}`,
        package: `example.com/${name}`,
        variables: (version) => ({ "main.version": version.slice(1) }),
        versionArguments: [],
    };
}

/** The programs that all tests build. */
function twoPrograms() {
    write("go.sum");
    write(
        "go.mod",
        "module example.com/tools",
        "go 1.26",
        "require example.com/first v1.2.3",
        "require example.com/second v1.4.5",
        "replace example.com/first => ./first",
        "replace example.com/second => ./second",
    );
    return { first: program("first"), second: program("second") };
}

/** The tools in the cache, complete or not. */
const cached = () => (existsSync(join(folder, "hearth/tools")) ? readdirSync(join(folder, "hearth/tools")) : []);

describe("the programs of the sandbox", () => {
    test("are one `go build`, so that shared packages are compiled once", () => {
        const all = Object.entries({ ...tools.goTools, pulumi: tools.pulumiTools.pulumi });
        expect(goBuild.buildGroups(all)).toEqual([all]);
    });

    test("share packages with a program that has the same name in Go, which is linked after them", () => {
        const { helm4, kubectl } = tools.goTools;
        const all = Object.entries({ helm4, helm3: tools.testTools.helm3, kubectl });
        expect(goBuild.buildGroups(all)).toEqual([all]);
        expect(goBuild.buildRuns(all).map((run) => run.map(([name]) => name))).toEqual([
            ["helm4", "kubectl"],
            ["helm3"],
        ]);
    });
});

test(
    "one build makes programs that each know their own version; a change of one's sources rebuilds that one",
    async () => {
        const { first, second } = twoPrograms();
        await goBuild.build([
            ["first", first],
            ["second", second],
        ]);

        expect(goBuild.isBuilt("first", first) && goBuild.isBuilt("second", second)).toBe(true);
        expect(await goBuild.isPinnedRelease(tools.builtPath("first", first), first)).toBe(true);
        expect(await goBuild.isPinnedRelease(tools.builtPath("first", first), second)).toBe(false);
        expect(cached()).toHaveLength(2);

        write("first/main.go", "package main", "var version string", 'func main() { print("v", version) }');
        expect(goBuild.isBuilt("first", first)).toBe(false);
        expect(goBuild.isBuilt("second", second)).toBe(true);
    },
    limit,
);

test("a program on PATH is used if it is the pinned release and no launcher of an npm package", async () => {
    const { first } = twoPrograms();
    const script = (path: string) => {
        write(path, "#!/bin/sh", "echo v1.2.3");
        chmodSync(join(folder, path), 0o755);
    };
    script("package/node_modules/launcher/run");
    mkdirSync(join(folder, "package/node_modules/.bin"));
    symlinkSync("../launcher/run", join(folder, "package/node_modules/.bin/first"));
    process.env["PATH"] = `${join(folder, "package/node_modules/.bin")}:${join(folder, "bin")}:${process.env["PATH"]}`;
    expect(await goBuild.takeFromPath("first", first)).toBe(false);
    script("bin/first");
    expect(await goBuild.takeFromPath("first", first)).toBe(true);
    expect(readlinkSync(tools.builtPath("first", first))).toBe(join(folder, "bin/first"));
});

describe("a build that cannot succeed ends with one sentence, and leaves nothing partly built", () => {
    const failing = async (tool: Tools.GoTool): Promise<string> => {
        const message = await goBuild.build([["first", tool]]).then(
            () => "it was built",
            (error: Error) => error.message,
        );
        expect(cached().filter((entry) => entry !== "first")).toEqual([]);
        return message;
    };

    test(
        "a program that is not the pinned release",
        async () => {
            const { first } = twoPrograms();
            const message = await failing({ ...first, variables: () => ({ "main.version": "9.9.9" }) });
            expect(message).toMatch(/^first was built but does not run as v1\.2\.3: delete \S+, and rerun it$/);
        },
        limit,
    );

    test(
        "sources that do not compile",
        async () => {
            const { first } = twoPrograms();
            write("first/main.go", "package main", "func main() { missing() }");
            expect(await failing(first)).toMatch(
                /^first v1\.2\.3 cannot be built: \S*first\/main\.go:2:15: undefined: missing$/,
            );
        },
        limit,
    );

    test("a Go that is too old", async () => {
        const { first } = twoPrograms();
        write("go.mod", "module example.com/tools", "go 1.99.0", "require example.com/first v1.2.3");
        expect(await failing(first)).toMatch(/requires go >= 1\.99\.0 .*Install that Go, or set GOTOOLCHAIN=auto/);
    });

    test("no C compiler", async () => {
        const { first } = twoPrograms();
        process.env["PATH"] = "/nowhere";
        delete process.env["CC"];
        expect(await failing({ ...first, cgo: [] })).toMatch(
            /^a C compiler is missing\. first v1\.2\.3 has parts in C\. Install a compiler/,
        );
    });

    describe("a module proxy", () => {
        let server: Server;
        let answer: [code: number, text: string];

        beforeEach(async () => {
            server = createServer((_, response) => response.writeHead(answer[0]).end(answer[1]));
            await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
            process.env["GOPROXY"] = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
        });

        afterEach(() => server.close());

        /** Asks the proxy for a module that go.sum pins. */
        const build = async () => {
            const { first } = twoPrograms();
            write("go.mod", "module example.com/tools", "go 1.26", "require example.com/first v1.2.3");
            const sum = `h1:${Buffer.alloc(32).toString("base64")}`;
            write("go.sum", `example.com/first v1.2.3 ${sum}`, `example.com/first v1.2.3/go.mod ${sum}`);
            return failing(first);
        };

        test("that denies a module", async () => {
            answer = [403, "This module version is not available."];
            expect(await build()).toMatch(
                /first v1\.2\.3 cannot be built: a Go module is unavailable: .*403 Forbidden.*go env GOPROXY.*are kept\.$/,
            );
        });

        test("that serves another module than the pinned one", async () => {
            answer = [200, "module example.com/first\n"];
            expect(await build()).toMatch(/a download does not match go\.sum: .*checksum mismatch.*rerun it/);
        });

        test("that is unreachable", async () => {
            process.env["GOPROXY"] = "http://127.0.0.1:1";
            expect(await build()).toMatch(/a Go module is unavailable: .*connection refused.*Check the network/);
        });
    });

    test("a disk that fills up during the build", async () => {
        const { first } = twoPrograms();
        const words = "write /cache/x.a: no space left on device";
        write("bin/go", "#!/bin/sh", `[ "$1" = list ] || { echo "${words}" >&2; exit 1; }`);
        chmodSync(join(folder, "bin/go"), 0o755);
        process.env["PATH"] = `${join(folder, "bin")}:${process.env["PATH"]}`;
        expect(await failing(first)).toMatch(
            /^first v1\.2\.3 cannot be built: the disk is full\. Make room \(.* take \d+ GB\), and rerun it\.$/,
        );
    });

    test("too little disk space", () => {
        expect(() => goBuild.checkDisk(1e6)).toThrow(
            /needs about \d+\.0 GB, mostly for Go's caches, and the disk of \S+ has \d+\.\d GB free\. Make room/,
        );
    });
});

describe("several builds", () => {
    let buildAll: typeof Build.buildAll;
    let groups: [string, Tools.GoTool][][];

    /** Replaces Go's build by a script. */
    const go = (...script: string[]) => {
        write("bin/go", "#!/bin/sh", '[ "$1" = build ] || exit 0', `cd ${folder}`, ...script);
        chmodSync(join(folder, "bin/go"), 0o755);
        process.env["PATH"] = `${join(folder, "bin")}:${process.env["PATH"]}`;
    };

    beforeEach(() => {
        buildAll = require("../../../toolchain/build").buildAll;
        const { first, second } = twoPrograms();
        groups = [[["first", first]], [["second", { ...second, unoptimized: true }]]];
    });

    test("run in parallel", async () => {
        // Each ends when the other has started; neither builds a program.
        go("touch started.$$", 'until [ "$(ls started.* | wc -l)" = 2 ]; do sleep 0.1; done', "exit 3");
        await expect(buildAll(groups)).rejects.toThrow("cannot be built");
        expect(readdirSync(folder).filter((name) => name.startsWith("started."))).toHaveLength(2);
    });

    test("one that fails ends the others, and is the one that is reported", async () => {
        go('case "$*" in *example.com/second) echo "it is wrong" >&2; exit 1;; esac', "exec sleep 600");
        await expect(buildAll(groups)).rejects.toThrow("second v1.4.5 cannot be built: it is wrong");
        expect(cached()).toEqual([]);
    });
});

test.each([
    ["etcd", "npm run setup"],
    ["helm3", "npm run setup -- --for-tests"],
    ["act", "npm run setup -- --for-workflows"],
    ["kubelet", "npm run setup -- --for-pods"],
] as const)("a missing %s is reported with the command that builds it: %s", (name, command) => {
    expect(() => tools.tool(name)).toThrow(`${name} is missing: run \`${command}\`, which builds what is missing.`);
});
