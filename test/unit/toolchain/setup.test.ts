import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, delimiter, join } from "node:path";
import { tryLock } from "../../../lib/lock";
import { findOnPath } from "../../../lib/paths";
import { root } from "../../../lib/root";
import { toolsOf } from "../../../toolchain/build";

let folder: string;

beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "hearth-setup-"));
    mkdirSync(join(folder, "bin"));
});

afterEach(() => rmSync(folder, { recursive: true }));

const environment = () => ({
    ...process.env,
    HOME: folder,
    XDG_CACHE_HOME: folder,
    PULUMI_HOME: join(folder, "pulumi"),
    PATH: `${join(folder, "bin")}${delimiter}${process.env["PATH"]}`,
});

test("without Go, setup prints where to get it", () => {
    for (const program of [process.execPath, findOnPath("git") ?? "", findOnPath("dirname") ?? ""]) {
        symlinkSync(program, join(folder, "bin", basename(program)));
    }
    const { status, stderr } = spawnSync("/bin/sh", ["toolchain/setup.sh"], {
        cwd: root,
        env: { PATH: join(folder, "bin") },
        encoding: "utf8",
    });
    expect({ status, stderr }).toEqual({
        status: 1,
        stderr: "setup: Go is missing: install release 1.26 or newer from https://go.dev/dl/\n",
    });
});

test("an unknown option is rejected before anything is built", () => {
    const args = ["toolchain/compile.cjs", "setup", "--for-tests", "--for-test"];
    const { status, stderr } = spawnSync(process.execPath, args, { cwd: root, env: environment(), encoding: "utf8" });
    expect({ status, stderr }).toEqual({
        status: 2,
        stderr: expect.stringMatching(/^setup: invalid option: got "--for-test", expected any of --for-tests, /),
    });
    expect(readdirSync(folder)).toEqual(["bin"]);
});

test("setup for two suites builds the tools of both", () => {
    const names = toolsOf(["backup", "workflows"]).map(([name]) => name);
    expect(names).toEqual(expect.arrayContaining(["kube-apiserver", "restic", "rest-server", "act"]));
    expect(names).not.toContain("prometheus");
});

test("a second setup waits for the first, and reports that; Ctrl-C ends it", async () => {
    const release = tryLock(join(folder, "hearth/lock"));
    const child = spawn(process.execPath, ["toolchain/compile.cjs", "setup"], { cwd: root, env: environment() });
    let output = "";
    child.stderr.on("data", (chunk) => {
        output += chunk;
        child.kill("SIGINT");
    });
    const code = await new Promise((closed) => child.once("close", closed));
    release?.();
    expect({ code, output }).toEqual({
        code: 130,
        output:
            `Another setup (process ${process.pid}) is building the tools; waiting for it.\n` +
            "setup: interrupted; rerun it to continue from here\n",
    });
});

test("Ctrl-C in the middle of a build leaves nothing partly built", () => {
    // Sends Ctrl-C while it compiles, and compiles until it is stopped.
    const go = ["#!/bin/sh", '[ "$1" = build ] || exit 0', 'kill -INT "$PPID"', "exec sleep 600"];
    writeFileSync(join(folder, "bin/go"), go.join("\n"), { mode: 0o755 });
    const { status, stderr } = spawnSync(process.execPath, ["toolchain/compile.cjs", "tools", "kustomize"], {
        cwd: root,
        env: environment(),
        encoding: "utf8",
    });
    expect({ status, stderr }).toEqual({
        status: 130,
        stderr: "setup: interrupted; rerun it to continue from here\n",
    });
    expect(readdirSync(join(folder, "hearth/tools"))).toEqual([]);
});
