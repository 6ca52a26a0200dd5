import { explained, type OrderObject, pendingOrders } from "../../../hack/certificate-orders";

test.each([
    [
        "a token without rights",
        'while querying the Cloudflare API for GET "/zones?name=example.com" \n\t Error: 9109: Invalid access token',
        /^the DNS provider rejects the token: create one with write access to this domain's records, and set it with `npx pulumi/,
    ],
    [
        "a token of DigitalOcean's without rights",
        "GET https://api.digitalocean.com/v2/domains/example.com/records: 401 Unable to authenticate you",
        /^the DNS provider rejects the token/,
    ],
    [
        "a domain that somebody else owns",
        "Found no Zones for domain _acme-challenge.example.com. (neither in the sub-domain nor in the SLD) please make sure " +
            "your domain-entries in the config are correct and the API key is correctly setup with Zone.read rights.",
        /^the token's account does not have this domain: it may belong to someone else/,
    ],
    [
        "a provider that is slow",
        'Waiting for DNS-01 challenge propagation: DNS record for "example.com" not yet propagated',
        /^the DNS provider has not published the record yet: wait/,
    ],
    [
        "a rate limit",
        "Failed to create Order: 429 urn:ietf:params:acme:error:rateLimited: too many certificates (5) already issued for this " +
            "exact set of identifiers in the last 168h0m0s, retry after 2026-12-02 10:00:00 UTC",
        /^Let's Encrypt's rate limit is reached: the old certificate stays/,
    ],
    [
        "name servers elsewhere",
        'Error accepting authorization: acme: authorization error for example.com: 403 urn:ietf:params:acme:error:unauthorized: Incorrect TXT record "x"',
        /^Let's Encrypt does not find the record that the token writes/,
    ],
    [
        "a domain that nobody can have",
        "400 urn:ietf:params:acme:error:rejectedIdentifier: The ACME server refuses to issue: policy forbids issuing for name",
        /^Let's Encrypt does not sign for this domain/,
    ],
    [
        "a provider that is unreachable",
        "dial tcp 104.16.0.1:443: i/o timeout",
        /^the DNS provider or Let's Encrypt does not answer/,
    ],
])("%s is explained in a sentence, with the message itself", (_, message, sentence) => {
    expect(explained(message)).toMatch(sentence);
    expect(explained(message)).toContain(`(${message.replace(/\s+/g, " ")})`);
});

test("an unknown message is printed unchanged", () => {
    expect(explained("something\n new")).toBe("something new");
});

const certificate = (name: string, status: "True" | "False"): OrderObject => ({
    kind: "Certificate",
    metadata: { namespace: "cert-manager", name },
    status: { conditions: [{ type: "Ready", status, message: "Issuing certificate as Secret does not exist" }] },
});
const challenge = (reason: string): OrderObject => ({
    kind: "Challenge",
    metadata: { namespace: "cert-manager", name: "wildcard-1" },
    status: { state: "pending", reason },
});

test("a pending certificate is named after its reasons; two challenges with the same reason are one line", () => {
    const objects = [certificate("wildcard", "False"), challenge("odd"), challenge("odd")];

    expect(pendingOrders(objects)).toEqual([
        "odd",
        "Certificate cert-manager/wildcard is not ready: Issuing certificate as Secret does not exist",
    ]);
});

test("a home whose certificates are ready does not report old challenges", () => {
    expect(pendingOrders([certificate("wildcard", "True"), challenge("odd")])).toEqual([]);
});

const renewal = (status: "True" | "False", message: string): OrderObject => {
    const { status: { conditions = [] } = {}, ...rest } = certificate("wildcard", "True");
    return { ...rest, status: { conditions: [...conditions, { type: "Issuing", status, message }] } };
};

test("a renewal that fails is reported while the current certificate is valid", () => {
    expect(pendingOrders([renewal("False", "The certificate request has failed"), challenge("odd")])).toEqual([
        "odd",
        "Certificate cert-manager/wildcard is not renewed yet, and the current one is served: The certificate request has failed",
    ]);
});

test("a renewal under way is reported only with a reason to wait", () => {
    expect(pendingOrders([renewal("True", "renewal")])).toEqual([]);
    expect(pendingOrders([renewal("True", "renewal"), challenge("odd")])).toHaveLength(2);
});

test("of a certificate's orders, the reason of the newest one counts", () => {
    const order = (creationTimestamp: string, reason: string): OrderObject => ({
        kind: "Order",
        metadata: {
            ...{ namespace: "cert-manager", name: `wildcard-${reason}`, creationTimestamp },
            annotations: { "cert-manager.io/certificate-name": "wildcard" },
        },
        status: { state: "errored", reason },
    });
    const orders = [order("2026-11-30T10:00:00Z", "old"), order("2026-11-30T11:00:00Z", "new")];

    expect(pendingOrders([certificate("wildcard", "False"), ...orders])[0]).toBe("new");
    expect(pendingOrders([certificate("wildcard", "False"), ...orders])).not.toContain("old");
});
