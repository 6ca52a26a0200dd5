import { readFileSync } from "node:fs";
import { readApplications } from "../../components/applications";
import { bytesOf, memoryRequest } from "../../components/memory";
import { containers, type Manifest, ofKind } from "./manifest";
import { renderSystem } from "./system";
import { renderedCharts, Workspace } from "./workspace";

/** Charts with workloads that a template generates, or one for each architecture. */
const generated = ["arr", "gitops", "tdarr"];

/** Bytes that the rendered pods of a home with one node request while they run, or at most use. */
function rendered(manifests: readonly Manifest[], what: "requests" | "limits" = "requests"): number {
    const replicas = new Map(
        [...ofKind(manifests, "Deployment"), ...ofKind(manifests, "StatefulSet")].map(({ metadata, spec }) => [
            metadata.name,
            spec?.replicas ?? 1,
        ]),
    );
    return containers(manifests)
        .filter(({ stays }) => stays)
        .reduce((sum, { workload, container }) => {
            const { [what]: own, limits } = container.resources ?? {};
            return sum + (replicas.get(workload.name) ?? 1) * bytesOf(own?.["memory"] ?? limits?.["memory"]);
        }, 0);
}

test("the memory that a preview counts equals the requests of the rendered pods, and is never more", () => {
    const charts = renderedCharts();
    const requests = readApplications(".", "home").map((each) => ({
        name: each.name,
        counted: memoryRequest(".", each, 1),
        rendered: rendered(charts.get(each.name) ?? []),
    }));
    const exact = requests.filter(({ name }) => !generated.includes(name));
    expect(exact.filter(({ counted, rendered: requested }) => counted !== requested)).toEqual([]);
    // Argo CD's own values are those of an upstream chart, which is not rendered here.
    const others = requests.filter(({ name }) => generated.includes(name) && name !== "gitops");
    expect(others.filter(({ counted, rendered: requested }) => counted > requested)).toEqual([]);
});

/** MiB of the home's own programs on one node: requests and limits, as docs/performance.md lists them. */
async function ownPrograms(profile: "standard" | "small"): Promise<Record<string, [requests: number, limits: number]>> {
    const system = await renderSystem(profile);
    const workspace = new Workspace("helm4");
    workspace.write("one-node.json", JSON.stringify({ global: { architectures: ["arm64"] } }));
    const files = (chart: string) => [
        ...(profile === "small" ? ["--values", workspace.path(`${chart}/small.yaml`)] : []),
        ...["--values", workspace.path("one-node.json")],
    ];
    const inNamespace = (name: string) => system.filter(({ metadata }) => metadata.namespace === name);
    try {
        const parts = {
            "Argo CD": inNamespace("argocd"),
            "Gitea and its runner": await workspace.render("gitops", ...files("gitops")),
            monitoring: await workspace.render("monitoring", ...files("monitoring")),
        };
        const mib = (manifests: readonly Manifest[], what: "requests" | "limits") =>
            rendered(manifests, what) / 2 ** 20;
        return Object.fromEntries(
            Object.entries(parts).map(([part, objects]) => [part, [mib(objects, "requests"), mib(objects, "limits")]]),
        );
    } finally {
        workspace.remove();
    }
}

test("docs/performance.md states the memory of the home's own programs in both profiles", async () => {
    const [standard, small] = [await ownPrograms("standard"), await ownPrograms("small")];
    const rows = Object.keys(standard).map((part) => [part, ...(standard[part] ?? []), ...(small[part] ?? [])]);
    const sums = [1, 2, 3, 4].map((column) => rows.reduce((sum, row) => sum + Number(row[column]), 0));
    const table = [...rows, ["all", ...sums]].map((row) => `| ${row.join(" | ")} |`);

    const page = readFileSync("docs/performance.md", "utf8");
    expect(page.split("\n").filter((line) => table.some((row) => row.split("|")[1] === line.split("|")[1]))).toEqual(
        table,
    );
}, 300_000);
