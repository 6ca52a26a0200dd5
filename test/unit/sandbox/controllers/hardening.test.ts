import { assignAddress, NoAddress, validatePool } from "../../../../sandbox/controllers/address-pools";
import { validateCertificate } from "../../../../sandbox/controllers/admission";
import type { Certificate } from "../../../../sandbox/controllers/cert-manager-types";
import { inOrder } from "../../../../sandbox/controllers/loop";
import { answerReview } from "../../../../sandbox/controllers/webhook-server";

const context = { namespace: "cert-manager", pools: [] };

/** What the API server sends about an object. */
function reviewOf(kind: string, object: unknown): string {
    const group = kind === "IPAddressPool" ? "metallb.io" : "cert-manager.io";
    return JSON.stringify({
        request: {
            uid: "1",
            operation: "CREATE",
            kind: { group, version: "v1", kind },
            namespace: "cert-manager",
            object,
        },
    });
}

describe("the answer to a review", () => {
    test("allows what is right", () => {
        const { status, body } = answerReview(reviewOf("Issuer", { spec: { selfSigned: {} } }), context);
        expect(status).toBe(200);
        expect(JSON.parse(body).response).toEqual({ uid: "1", allowed: true });
    });

    test.each([
        ["Certificate", {}, "spec.secretName: Required value"],
        ["Issuer", {}, "at least one issuer must be configured"],
        ["ClusterIssuer", { spec: { ca: { secretName: "ca" }, selfSigned: {} } }, "more than one issuer type"],
        ["IPAddressPool", { metadata: { name: "home" } }, "pool has no prefixes defined"],
    ])("refuses a %s of %j", (kind, object, message) => {
        const { status, body } = answerReview(reviewOf(kind, object), context);
        expect(status).toBe(200);
        const { response } = JSON.parse(body);
        expect(response).toMatchObject({ uid: "1", allowed: false, status: { code: 403 } });
        expect(response.status.message).toContain(message);
    });

    test.each([
        "",
        "{",
        "null",
        "{}",
        '{"request":null}',
        reviewOf("Certificate", { spec: { dnsNames: 1, issuerRef: 1 } }),
    ])("never throws: %p", (text) => {
        expect([200, 500]).toContain(answerReview(text, context).status);
    });
});

test("a Certificate without a specification lacks all that it needs", () => {
    expect(validateCertificate({} as Certificate)).toMatch(/secretName.*issuerRef.name.*at least one of commonName/);
});

describe("a pool that cannot be read, made before there was a webhook", () => {
    const broken = { metadata: { name: "broken" }, spec: { addresses: ["10.20.0.300-10.20.0.301"] } };
    const good = { metadata: { name: "home" }, spec: { addresses: ["10.20.0.200/30"] } };

    test("is the reason why no address is given", () => {
        const situation = { pools: [broken, good], advertisements: [{}], namespaceLabels: {}, holders: [] };
        const assign = () => assignAddress({ metadata: { namespace: "default", name: "web" } }, undefined, situation);
        expect(assign).toThrow(NoAddress);
        expect(assign).toThrow('parsing address pool broken: invalid IP range "10.20.0.300-10.20.0.301"');
    });

    test("is the reason why another is refused", () => {
        expect(validatePool(good, [broken])).toContain("parsing address pool broken");
    });
});

test("steps are taken in order, also after one that fails, which is told at the end", async () => {
    const taken: number[] = [];
    const step = (number: number, error?: Error) => async () => {
        taken.push(number);
        if (error) {
            throw error;
        }
    };
    await expect(inOrder(step(1), step(2, new Error("two")), step(3))).rejects.toThrow("two");
    expect(taken).toEqual([1, 2, 3]);
});

test("a Service keeps its address while nothing announces its pool; a new one gets none", () => {
    const pools = [{ metadata: { name: "home" }, spec: { addresses: ["10.20.0.200/30"] } }];
    const situation = { pools, advertisements: [], namespaceLabels: {}, holders: [] };
    const service = { metadata: { namespace: "default", name: "web" } };
    const wanting = { metadata: { ...service.metadata, annotations: { "metallb.io/loadBalancerIPs": "10.20.0.201" } } };
    const kept = { address: "10.20.0.201", pool: "home" };
    expect(assignAddress(service, "10.20.0.201", situation)).toEqual(kept);
    expect(assignAddress(wanting, "10.20.0.201", situation)).toEqual(kept);
    expect(() => assignAddress(service, undefined, situation)).toThrow('announces pool "home"');
    expect(() => assignAddress(wanting, "10.20.0.200", situation)).toThrow('announces pool "home"');
});
