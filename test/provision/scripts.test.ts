import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { resolve } from "node:path";
import { findOnPath } from "../../lib/paths";
import { run } from "../../lib/run";
import { scriptText } from "../../provision/remote-script";
import { aptGetInstall } from "../../toolchain/apt-get";

const folder = resolve(__dirname, "../../provision/scripts");
const libraries = ["lib", "claims", "crypttab", "disks", "identity"];
const scripts = readdirSync(folder)
    .map((name) => name.replace(/\.sh$/, ""))
    .filter((name) => !libraries.includes(name));

beforeAll(async () => {
    if (!findOnPath("shellcheck")) {
        await aptGetInstall("shellcheck", "Install the package shellcheck.", ["shellcheck"]);
    }
}, 300_000);

test.each(scripts)("shellcheck has no findings in %s, as a node reads it", (script) => {
    const input = scriptText(script, { node: "n1" });
    const { status, stdout } = spawnSync("shellcheck", ["--shell=bash", "-"], { input, encoding: "utf8" });
    expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
});

test("shellcheck has no findings in the stand-ins for k3s, and in the script that starts a home again", async () => {
    const { exitCode, output } = await run(
        "shellcheck",
        ["--external-sources", "sandbox/k3s-stand-in.sh", "sandbox/k3s-pods.sh", "hack/shutdown/power-on.sh"],
        { cwd: resolve(__dirname, "../..") },
    );
    expect({ exitCode, output }).toEqual({ exitCode: 0, output: "" });
});
