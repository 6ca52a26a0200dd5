import { assignAddress, isAnnounced, type Situation, validatePool } from "../../../sandbox/controllers/address-pools";
import type { V1Service } from "../../../sandbox/controllers/kubernetes-types";
import type { AddressPool } from "../../../sandbox/controllers/metallb-types";

const pool = (name: string, addresses: string[], spec: Partial<AddressPool["spec"]> = {}): AddressPool => ({
    metadata: { name },
    spec: { addresses, ...spec },
});

const service = (annotations: Record<string, string> = {}, spec: V1Service["spec"] = {}): V1Service => ({
    metadata: { name: "web", namespace: "default", annotations, labels: { app: "web" } },
    spec: { type: "LoadBalancer", ports: [{ port: 80 }], ...spec },
});

const other = (address: string, annotations: Record<string, string> = {}, port = 443) => ({
    address,
    service: {
        metadata: { name: "other", namespace: "default", annotations },
        spec: { ports: [{ port }] },
    },
});

const situation = (pools: AddressPool[], holders: Situation["holders"] = []): Situation => ({
    pools,
    advertisements: [{}],
    namespaceLabels: { kind: "app" },
    holders,
});

const home = pool("home", ["10.0.0.1-10.0.0.3"]);
const shared = { "metallb.io/allow-shared-ip": "key" };

describe("the address that a Service gets", () => {
    test.each<[string, V1Service, string | undefined, Situation, string, string]>([
        ["is the first free one", service(), undefined, situation([home], [other("10.0.0.1")]), "10.0.0.2", "home"],
        ["is the one that it has", service(), "10.0.0.3", situation([home]), "10.0.0.3", "home"],
        ["is a new one when the pool has moved", service(), "10.9.0.3", situation([home]), "10.0.0.1", "home"],
        [
            "is the one that it asks for",
            service({ "metallb.io/loadBalancerIPs": "10.0.0.2" }),
            "10.0.0.1",
            situation([home]),
            "10.0.0.2",
            "home",
        ],
        [
            "is the one of its specification",
            service({}, { loadBalancerIP: "10.0.0.2" }),
            undefined,
            situation([home]),
            "10.0.0.2",
            "home",
        ],
        [
            "is from the pool that it names, also from one for those that name it only",
            service({ "metallb.io/address-pool": "spare" }),
            undefined,
            situation([home, pool("spare", ["10.1.0.0/30"], { autoAssign: false })]),
            "10.1.0.0",
            "spare",
        ],
        [
            "ends in neither 0 nor 255 when the pool says so",
            service(),
            undefined,
            situation([pool("home", ["10.0.0.0/24"], { avoidBuggyIPs: true })]),
            "10.0.0.1",
            "home",
        ],
        [
            "is shared by those that allow it",
            service({ ...shared, "metallb.io/loadBalancerIPs": "10.0.0.1" }),
            undefined,
            situation([home], [other("10.0.0.1", shared)]),
            "10.0.0.1",
            "home",
        ],
        [
            "is from a pool for its namespace before any other",
            service(),
            undefined,
            situation([
                pool("a", ["10.0.0.1/32"]),
                pool("b", ["10.0.1.1/32"], { serviceAllocation: { priority: 20, namespaces: ["default"] } }),
                pool("c", ["10.0.2.1/32"], {
                    serviceAllocation: { priority: 10, namespaceSelectors: [{ matchLabels: { kind: "app" } }] },
                }),
            ]),
            "10.0.2.1",
            "c",
        ],
        [
            "is IPv6 for a Service of that family",
            service({}, { ipFamilies: ["IPv6"] }),
            undefined,
            situation([home, pool("six", ["fd00::5/128"])]),
            "fd00:0:0:0:0:0:0:5",
            "six",
        ],
    ])("%s", (_, wanted, current, given, address, name) => {
        expect(assignAddress(wanted, current, given)).toEqual({ address, pool: name });
    });
});

describe("a Service gets no address", () => {
    const full = ["10.0.0.1", "10.0.0.2", "10.0.0.3"].map((each) => other(each));
    test.each<[string, V1Service, Situation, string]>([
        ["when all are taken", service(), situation([home], full), "no available IPs"],
        [
            "when no pool gives any by itself",
            service(),
            situation([pool("a", ["10.0.0.1/32"], { autoAssign: false })]),
            "no available IPs",
        ],
        [
            "when its pool is not there",
            service({ "metallb.io/address-pool": "hone" }),
            situation([home]),
            'unknown pool "hone"',
        ],
        [
            "when it asks for one of no pool",
            service({ "metallb.io/loadBalancerIPs": "10.0.9.9" }),
            situation([home]),
            '["10.0.9.9"] is not allowed in config',
        ],
        [
            "when it asks for one that another has",
            service({ "metallb.io/loadBalancerIPs": "10.0.0.1" }),
            situation([home], full),
            "address also in use by default/other",
        ],
        [
            "when it would share a port",
            service({ ...shared, "metallb.io/loadBalancerIPs": "10.0.0.1" }),
            situation([home], [other("10.0.0.1", shared, 80)]),
            "address also in use by default/other",
        ],
        [
            "when it asks for no address",
            service({ "metallb.io/loadBalancerIPs": "web" }),
            situation([home]),
            'invalid metallb.io/loadBalancerIPs "web"',
        ],
        [
            "when nothing announces the pool",
            service(),
            { ...situation([home]), advertisements: [{ spec: { ipAddressPools: ["hone"] } }] },
            'no L2Advertisement or BGPAdvertisement announces pool "home"',
        ],
    ])("%s", (_, wanted, given, message) => {
        expect(() => assignAddress(wanted, undefined, given)).toThrow(message);
    });
});

test.each([
    ["everything", {}, true],
    ["it by name", { ipAddressPools: ["home"] }, true],
    ["another", { ipAddressPools: ["away"] }, false],
    ["it by label", { ipAddressPoolSelectors: [{ matchLabels: { zone: "a" } }] }, true],
    ["others by label", { ipAddressPoolSelectors: [{ matchLabels: { zone: "b" } }] }, false],
])("an advertisement of %s announces a pool: %j %p", (_, spec, expected) => {
    expect(isAnnounced({ ...home, metadata: { name: "home", labels: { zone: "a" } } }, [{ spec }])).toBe(expected);
});

test.each([
    ["none", [], "pool has no prefixes defined"],
    ["a malformed one", ["10.0.0.1-10.0.0"], 'invalid CIDR "10.0.0.1-10.0.0" in pool "new": invalid IP range'],
    [
        "one of another pool's",
        ["10.0.0.3/32"],
        'CIDR "10.0.0.3/32" in pool "new" overlaps with already defined CIDR "10.0.0.1-10.0.0.3"',
    ],
    ["the same twice", ["10.1.0.0/24", "10.1.0.9/32"], "overlaps"],
])("a pool of %s is refused", (_, addresses, message) => {
    expect(validatePool(pool("new", addresses), [home])).toContain(message);
});

test("a pool does not overlap with what it was before", () => {
    expect(validatePool(pool("home", ["10.0.0.1-10.0.0.9"]), [home])).toBeUndefined();
});
