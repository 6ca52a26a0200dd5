import { judgeAnswer } from "../../../components/webhook-answer";

test.each([
    ["admitted", undefined, "admitted"],
    ["created by an earlier run", 'ipaddresspools.metallb.io "home" already exists', "admitted"],
    [
        "no endpoints yet",
        'Internal error occurred: failed calling webhook "ipaddresspoolvalidationwebhook.metallb.io": failed to call webhook: Post "https://metallb-webhook-service.metallb-system.svc:443/validate": no endpoints available for service',
        "silent",
    ],
    [
        "a certificate that is not injected yet",
        'failed calling webhook "webhook.cert-manager.io": tls: failed to verify certificate: x509: certificate signed by unknown authority',
        "silent",
    ],
    ["a CRD that is not served yet", 'no matches for kind "IPAddressPool" in version "metallb.io/v1beta1"', "silent"],
    ["an API server that is unreachable for a moment", "connect ECONNREFUSED 127.0.0.1:6443", "silent"],
    [
        "a refusal",
        'admission webhook "ipaddresspoolvalidationwebhook.metallb.io" denied the request: CIDR "10.0.0.0/24" overlaps',
        "refused",
    ],
    [
        "a schema that the object does not meet",
        'IPAddressPool.metallb.io "home" is invalid: spec.addresses: Required value',
        "refused",
    ],
    ["missing rights", 'ipaddresspools.metallb.io is forbidden: User "me" cannot create resource', "refused"],
])("%s", (_, error, answer) => {
    expect(judgeAnswer(error)).toBe(answer);
});
