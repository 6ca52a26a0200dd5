import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type * as Plugins from "../../../toolchain/pulumi-plugins";
import { pluginVersion } from "../../../toolchain/pulumi-version";

let folder: string;
const { PATH, PULUMI_HOME } = process.env;

beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "hearth-plugins-"));
    // Without a CLI, nothing is downloaded.
    process.env["PULUMI_HOME"] = join(folder, "pulumi");
    process.env["PATH"] = [join(folder, "bin"), join(folder, "other/node_modules/.bin")].join(":");
    jest.resetModules();
});

afterEach(() => {
    rmSync(folder, { recursive: true });
    process.env["PATH"] = PATH;
    if (PULUMI_HOME === undefined) {
        delete process.env["PULUMI_HOME"];
    } else {
        process.env["PULUMI_HOME"] = PULUMI_HOME;
    }
});

async function hasOfficial(...plugin: string[]): Promise<boolean> {
    const path = join(folder, ...plugin, "pulumi-resource-kubernetes");
    mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(path, "#!/bin/sh\n", { mode: 0o755 });
    const { hasOfficialPlugin }: typeof Plugins = require("../../../toolchain/pulumi-plugins");
    return hasOfficialPlugin("kubernetes");
}

test.each([
    [
        "the release that package.json requires, installed by Pulumi",
        ["pulumi/plugins", `resource-kubernetes-v${pluginVersion("kubernetes")}`],
    ],
    ["one on PATH", ["bin"]],
])("%s is used rather than the one that is built from source", async (_, plugin) => {
    expect(await hasOfficial(...plugin)).toBe(true);
});

test.each([
    ["another release", ["pulumi/plugins/resource-kubernetes-v4.25.0"]],
    ["what npm's folder of commands has, in any checkout", ["other/node_modules/.bin"]],
])("%s does not count as Pulumi's own", async (_, plugin) => {
    expect(await hasOfficial(...plugin)).toBe(false);
});
