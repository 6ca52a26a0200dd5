import { handedOver } from "../../../components/waits/hand-over";

const fieldsV1 = { "f:metadata": { "f:labels": {} }, "f:spec": { "f:replicas": {} } };
const status = { manager: "kube-controller-manager", operation: "Update", subresource: "status", fieldsV1: {} };

test.each(["helm", "pulumi-resource-kubernetes"])(
    "what %s has made is Argo CD's, but for the metadata; what others manage stays theirs",
    (manager) => {
        expect(handedOver([{ manager, operation: "Update", fieldsV1 }, status])).toEqual([
            { manager, operation: "Update", fieldsV1: { "f:metadata": { "f:labels": {} } } },
            { manager: "argocd-controller", operation: "Apply", fieldsV1: { "f:spec": { "f:replicas": {} } } },
            status,
        ]);
    },
);

test("an object that Argo CD manages already is left alone", () => {
    const entries = [
        { manager: "helm", operation: "Update", fieldsV1 },
        { manager: "argocd-controller", operation: "Apply", fieldsV1 },
    ];
    expect(handedOver(entries)).toBeUndefined();
});
