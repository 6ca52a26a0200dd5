import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { goTools, testTools, toolVersion } from "../../toolchain/tools";
import { containers } from "../charts/manifest";
import { Workspace } from "../charts/workspace";

/** The image's tag for a version of a program's Go module: Prometheus' module 0.316.0 is its release 3.16.0. */
function releaseOf(name: string, version: string): string {
    const [, major, minor, patch] = /^v0\.(\d)(\d\d)\.(\d+)$/.exec(version) ?? [];
    return name === "prometheus" ? `v${major}.${Number(minor)}.${patch}` : version;
}

/** Releases that the tests run although the chart installs a later one, which cannot be built from its Go module. */
const builtHere: Readonly<Record<string, string>> = { alertmanager: "v0.31.1" };

jest.setTimeout(120_000);

test("the tests run the release that the chart installs, or one that this test names", async () => {
    const workspace = new Workspace("helm4");
    const objects = await workspace.render("monitoring").finally(() => workspace.remove());
    const programs = { prometheus: "prometheus", alertmanager: "alertmanager", "node-exporter": "node_exporter" };
    const tools = { ...goTools, ...testTools };

    for (const [workload, program] of Object.entries({ ...programs, "kube-state-metrics": "kube-state-metrics" })) {
        const image = containers(objects).find(({ container }) => container.name === workload)?.container.image;
        const version = toolVersion(tools[program as keyof typeof tools]);
        expect(releaseOf(workload, version)).toBe(builtHere[workload] ?? image?.split(":")[1]);
    }
});

test("dashboards are checked with the types of the Grafana that the chart installs", async () => {
    const workspace = new Workspace("helm4");
    const objects = await workspace.render("monitoring").finally(() => workspace.remove());
    const image = containers(objects).find(({ container }) => container.name === "grafana")?.container.image;
    const { devDependencies } = JSON.parse(readFileSync(resolve(__dirname, "../../package.json"), "utf8"));

    expect(devDependencies["@grafana/schema"]).toBe(image?.split(":")[1]?.split("@")[0]);
});
