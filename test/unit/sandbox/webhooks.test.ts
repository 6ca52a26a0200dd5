import { isServed } from "../../../sandbox/controllers/ingresses";
import { findAvailable, matches } from "../../../sandbox/controllers/labels";
import { redirect } from "../../../sandbox/controllers/webhooks";

test("a webhook is asked at the sandbox's server, by the name of its Service, and else stays as it is", () => {
    const server = { url: (service: object, path: string) => JSON.stringify(service) + path, caBundle: "CA" };
    const original = {
        name: "webhook.cert-manager.io",
        admissionReviewVersions: ["v1"],
        sideEffects: "None",
        failurePolicy: "Fail",
        matchConditions: [
            { name: "its-own", expression: "true" },
            { name: "the-sandbox-answers", expression: "false" },
        ],
        clientConfig: { service: { namespace: "cert-manager", name: "webhook", path: "/validate" }, caBundle: "other" },
    };
    expect(redirect(original, server)).toEqual({
        name: "webhook.cert-manager.io",
        admissionReviewVersions: ["v1"],
        sideEffects: "None",
        failurePolicy: "Fail",
        matchConditions: [{ name: "its-own", expression: "true" }],
        clientConfig: { url: '{"namespace":"cert-manager","name":"webhook"}/validate', caBundle: "CA" },
    });
});

test.each([
    [{ matchLabels: { app: "web" } }, true],
    [{ matchLabels: { app: "db" } }, false],
    [{ matchExpressions: [{ key: "app", operator: "In", values: ["web", "db"] }] }, true],
    [{ matchExpressions: [{ key: "app", operator: "NotIn", values: ["web"] }] }, false],
    [{ matchExpressions: [{ key: "tier", operator: "Exists" }] }, false],
    [{ matchExpressions: [{ key: "tier", operator: "DoesNotExist" }] }, true],
    [{}, true],
    [undefined, false],
])("the selector %j meets app=web: %p", (selector, expected) => {
    expect(matches(selector, { app: "web" })).toBe(expected);
});

test("a controller works when its Deployment has a pod and is Available", () => {
    const deployment = (availableReplicas: number, status: string) => ({
        metadata: { labels: { app: "metallb" } },
        status: { availableReplicas, conditions: [{ type: "Available", status }] },
    });
    const labels = { app: "metallb" };
    expect(findAvailable([deployment(1, "True")], labels)).toBeDefined();
    expect(findAvailable([deployment(0, "True"), deployment(1, "False")], labels)).toBeUndefined();
    expect(findAvailable([deployment(1, "True")], { app: "other" })).toBeUndefined();
});

test.each([
    ["traefik", true],
    ["nginx", false],
    [undefined, false],
])("an Ingress of class %p is served: %p", (ingressClassName, expected) => {
    const classes = [
        { metadata: { name: "traefik" }, spec: { controller: "traefik.io/ingress-controller" } },
        { metadata: { name: "nginx" }, spec: { controller: "k8s.io/ingress-nginx" } },
    ];
    expect(isServed({ spec: { ingressClassName } }, classes)).toBe(expected);
});
