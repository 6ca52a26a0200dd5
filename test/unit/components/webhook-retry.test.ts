import { judgeWebhook } from "../../../components/webhook-retry";

const minutes = 60_000;

test.each([
    [
        "no endpoints yet",
        'Internal error occurred: failed calling webhook "ipaddresspoolvalidationwebhook.metallb.io": failed to call webhook: Post "https://metallb-webhook-service.metallb-system.svc:443/validate": no endpoints available for service',
        0,
        "retry",
    ],
    [
        "a certificate that is not injected yet",
        'failed calling webhook "webhook.cert-manager.io": tls: failed to verify certificate: x509: certificate signed by unknown authority',
        1 * minutes,
        "retry",
    ],
    [
        "still unreachable after five minutes",
        'failed calling webhook "webhook.cert-manager.io": context deadline exceeded',
        5 * minutes,
        "silent",
    ],
    [
        "a refusal",
        'admission webhook "ipaddresspoolvalidationwebhook.metallb.io" denied the request: CIDR "10.0.0.0/24" overlaps',
        0,
        "refused",
    ],
    ["an unreachable API server", "configured Kubernetes cluster is unreachable", 0, "refused"],
])("%s", (_, error, waited, verdict) => {
    expect(judgeWebhook(error, waited)).toBe(verdict);
});
