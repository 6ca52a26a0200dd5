import { text } from "node:stream/consumers";
import { ownedByArgocd } from "../../../components/waits/transfer-ownership";
import { runWait, serveApi } from "./api-server";

const fieldsV1 = { "f:metadata": { "f:labels": {} }, "f:spec": { "f:replicas": {} } };
const status = { manager: "kube-controller-manager", operation: "Update", subresource: "status", fieldsV1: {} };

test.each(["helm", "pulumi-resource-kubernetes"])(
    "fields that %s set become Argo CD's, except the metadata; other managers keep theirs",
    (manager) => {
        expect(ownedByArgocd([{ manager, operation: "Update", fieldsV1 }, status])).toEqual([
            { manager, operation: "Update", fieldsV1: { "f:metadata": { "f:labels": {} } } },
            { manager: "argocd-controller", operation: "Apply", fieldsV1: { "f:spec": { "f:replicas": {} } } },
            status,
        ]);
    },
);

test("an object that Argo CD already manages stays unchanged", () => {
    const entries = [
        { manager: "helm", operation: "Update", fieldsV1 },
        { manager: "argocd-controller", operation: "Apply", fieldsV1 },
    ];
    expect(ownedByArgocd(entries)).toBeUndefined();
});

/** An API server with one object, which another writer changes between a read and the patch. */
async function transfer(conflicts: number, limit: number) {
    const gitea = { apiVersion: "apps/v1", kind: "StatefulSet", metadata: { name: "gitea", namespace: "gitops" } };
    let version = 1;
    let left = conflicts;
    const patches: unknown[] = [];
    const server = await serveApi("own", async (request, response) => {
        const answer = (code: number, body: object) => {
            response.writeHead(code, { "content-type": "application/json" });
            response.end(JSON.stringify(body));
        };
        const managedFields = [{ manager: "helm", operation: "Update", fieldsV1 }];
        const object = () => ({
            ...gitea,
            metadata: { ...gitea.metadata, resourceVersion: `${version}`, managedFields },
        });
        if (request.url?.endsWith("/apis/apps/v1")) {
            answer(200, { resources: [{ name: "statefulsets", namespaced: true, kind: "StatefulSet" }] });
        } else if (request.method === "GET") {
            answer(200, object());
            if (left > 0) {
                left -= 1;
                version += 1;
            }
        } else {
            const patch = JSON.parse(await text(request));
            if (patch.metadata.resourceVersion === `${version}`) {
                patches.push(patch);
                answer(200, object());
            } else {
                answer(409, { kind: "Status", message: "the object has been modified", code: 409 });
            }
        }
    });
    const objects = { "StatefulSet.apps/apps/v1": ["gitops/gitea"] };
    const ended = await runWait("transfer-ownership", { kubeconfig: server.kubeconfig, limit, objects });
    server.close();
    return { ...ended, patches };
}

test("an object that a controller updates in between is transferred in its new version", async () => {
    expect(await transfer(2, 60)).toMatchObject({
        code: 0,
        said: "",
        patches: [
            {
                metadata: {
                    resourceVersion: "3",
                    managedFields: [{ manager: "helm" }, { manager: "argocd-controller" }],
                },
            },
        ],
    });
});

test("an object with endless updates ends the run at its limit, with the API server's message", async () => {
    expect(await transfer(Number.POSITIVE_INFINITY, 1)).toEqual({
        code: 1,
        said: "The ownership of Gitea's objects cannot be transferred to Argo CD: the object has been modified\n",
        patches: [],
    });
});
