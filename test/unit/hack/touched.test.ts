import type { Application } from "../../../components/applications";
import { touchedApplications } from "../../../hack/preview/touched";

const application = (name: string, paths: string | undefined): Application => ({
    name,
    namespace: name,
    tier: 3,
    small: [],
    manifest: {
        apiVersion: "argoproj.io/v1alpha1",
        kind: "Application",
        metadata: {
            name,
            namespace: "argocd",
            annotations: {
                "argocd.argoproj.io/sync-wave": "3",
                ...(paths !== undefined && { "argocd.argoproj.io/manifest-generate-paths": paths }),
            },
        },
        spec: {
            destination: { namespace: name },
            syncPolicy: { automated: {} },
            sources: [
                {
                    repoURL: "https://git.home.arpa/home/hearth.git",
                    targetRevision: "main",
                    path: `charts/${name}`,
                    helm: { valuesObject: { global: { domain: "home.arpa" } } },
                },
            ],
        },
    },
});
const applications = [
    application("jellyfin", "/charts/jellyfin;/charts/common"),
    application("kavita", ".;../common"),
    application("plain", undefined),
];

test.each<[string, string[], string[]]>([
    ["its chart", ["charts/jellyfin/values.yaml"], ["jellyfin", "plain"]],
    ["a chart whose name only begins the same", ["charts/jellyfin-two/values.yaml"], ["plain"]],
    ["the library, by absolute and relative paths", ["charts/common/values.yaml"], ["jellyfin", "kavita", "plain"]],
    ["its own file", ["clusters/home/apps/kavita.yaml"], ["kavita", "plain"]],
    ["the file of another cluster", ["clusters/cabin/apps/kavita.yaml"], ["plain"]],
    ["nothing", [], []],
])("an Application is touched by %s", (_, changed, touched) => {
    expect(touchedApplications("home", applications, changed)).toEqual(touched);
});
