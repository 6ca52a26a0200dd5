import { runWait, serveApi } from "./api-server";

const namespace = "media";
const second = "2026-03-01T12:00:00Z";

/** A StatefulSet whose pod keeps its name when it is replaced. */
const podOf = (uid: string) => ({ metadata: { name: "jellyfin-0", namespace, uid, creationTimestamp: second } });

test("a pod that is replaced within the second of the secret's change counts as restarted", async () => {
    const pods = [podOf("old")];
    const patched: string[] = [];
    const objects: Record<string, () => object> = {
        [`/api/v1/namespaces/${namespace}/secrets/media-secrets`]: () => ({
            metadata: {
                name: "media-secrets",
                namespace,
                creationTimestamp: "2026-02-01T12:00:00Z",
                managedFields: [{ manager: "pulumi", time: second }],
                annotations: { "hearth/changed": JSON.stringify({ token: { digest: "before", time: 0 } }) },
            },
            data: { token: "bmV3" },
        }),
        [`/api/v1/namespaces/${namespace}/pods`]: () => ({ items: pods }),
        [`/apis/apps/v1/namespaces/${namespace}/deployments`]: () => ({ items: [] }),
        [`/apis/apps/v1/namespaces/${namespace}/daemonsets`]: () => ({ items: [] }),
        [`/apis/apps/v1/namespaces/${namespace}/statefulsets`]: () => ({
            items: [
                {
                    metadata: { name: "jellyfin", namespace },
                    spec: {
                        selector: { matchLabels: { app: "jellyfin" } },
                        template: { spec: { containers: [{ envFrom: [{ secretRef: { name: "media-secrets" } }] }] } },
                    },
                },
            ],
        }),
        [`/apis/batch/v1/namespaces/${namespace}/jobs`]: () => ({ items: [] }),
    };
    const server = await serveApi("own", (request, response) => {
        const [path = ""] = (request.url ?? "").split("?");
        if (request.method === "PATCH") {
            patched.push(path.split("/").slice(-2).join("/"));
            if (path.includes("/statefulsets/")) {
                pods.splice(0, 1, podOf("new"));
            }
        }
        response.setHeader("content-type", "application/json");
        response.end(JSON.stringify(objects[path]?.() ?? {}));
    });
    try {
        const { kubeconfig } = server;
        const secrets = [{ namespace, name: "media-secrets" }];
        expect(await runWait("secret-users", { kubeconfig, limit: 3, secrets })).toEqual({ code: 0, said: "" });
        expect(patched).toEqual(["secrets/media-secrets", "statefulsets/jellyfin", "secrets/media-secrets"]);
    } finally {
        server.close();
    }
});
