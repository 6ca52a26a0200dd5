import { readApplications } from "../../components/applications";
import { bytesOf, memoryRequest } from "../../components/memory";
import { containers, type Manifest, ofKind } from "./manifest";
import { renderedCharts } from "./workspace";

/** Charts with workloads that a template generates, or one for each architecture. */
const generated = ["arr", "gitops", "tdarr"];

/** Bytes that the rendered pods of a home with one node request while they run. */
function rendered(manifests: readonly Manifest[]): number {
    const replicas = new Map(
        [...ofKind(manifests, "Deployment"), ...ofKind(manifests, "StatefulSet")].map(({ metadata, spec }) => [
            metadata.name,
            spec?.replicas ?? 1,
        ]),
    );
    return containers(manifests)
        .filter(({ stays }) => stays)
        .reduce((sum, { workload, container }) => {
            const { requests, limits } = container.resources ?? {};
            return sum + (replicas.get(workload.name) ?? 1) * bytesOf(requests?.["memory"] ?? limits?.["memory"]);
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
