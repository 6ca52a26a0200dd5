import { chooseAddresses, firstSteps } from "../../../components/addresses";
import { type Application, readApplications } from "../../../components/applications";
import type { LoadBalancer } from "../../../components/cluster";
import { root } from "../../../lib/root";

const applications = readApplications(root, "home");
const pool = { addresses: ["192.168.1.240-192.168.1.250"] };

/** The addresses of a home. @param loadBalancers existing Services of type LoadBalancer */
const chosen = (
    loadBalancer: { addresses: string[]; traefik?: string; adguard?: string },
    loadBalancers: readonly LoadBalancer[] = [],
    traefikValues = "",
    apps: readonly Application[] = applications,
) => chooseAddresses(root, loadBalancer, apps, { loadBalancers, traefikValues });

const service = (name: string, address: string, requested?: string): LoadBalancer => ({
    service: name,
    addresses: [address],
    requested,
});
const pinned = (address: string) => `service: {annotations: {metallb.io/loadBalancerIPs: ${address}}}\n`;

test("a new home: Traefik gets the first address, AdGuard the last, which MetalLB assigns last", () => {
    expect(chosen(pool)).toEqual({ traefik: "192.168.1.240", adguard: "192.168.1.250" });
});

test("addresses that end in .0 or .255 are skipped, since MetalLB does not assign them", () => {
    const addresses = ["192.168.1.0-192.168.1.3", "192.168.2.250-192.168.2.255"];

    expect(chosen({ addresses })).toEqual({ traefik: "192.168.1.1", adguard: "192.168.2.254" });
});

test("a running home keeps its addresses, wherever they are in the pool", () => {
    const running = [
        service("kube-system/traefik", "192.168.1.243"),
        service("adguard/adguard-lan", "192.168.1.241"),
        service("pangolin/gerbil-lan", "192.168.1.240"),
    ];

    expect(chosen(pool, running)).toEqual({ traefik: "192.168.1.243", adguard: "192.168.1.241" });
});

test("if other Services have the first and last addresses, the next free ones are chosen", () => {
    const others = [service("default/a", "192.168.1.240"), service("default/b", "192.168.1.250")];

    expect(chosen(pool, others)).toEqual({ traefik: "192.168.1.241", adguard: "192.168.1.249" });
});

test("settings take precedence, also in a running home", () => {
    const running = [service("kube-system/traefik", "192.168.1.243")];
    const settings = { ...pool, traefik: "192.168.1.245", adguard: "192.168.1.246" };

    expect(chosen(settings, running)).toEqual({ traefik: "192.168.1.245", adguard: "192.168.1.246" });
});

test("an existing HelmChartConfig's address for Traefik is kept", () => {
    expect(chosen(pool, [], "service: {spec: {loadBalancerIP: 192.168.1.244}}").traefik).toBe("192.168.1.244");
});

test("a home without AdGuard has only an address for Traefik", () => {
    const others = applications.filter(({ name }) => name !== "adguard");

    expect(chosen({ addresses: ["10.0.0.9-10.0.0.9"] }, [], "", others)).toEqual({ traefik: "10.0.0.9" });
});

test.each<[what: string, ...given: Parameters<typeof chosen>, message: RegExp]>([
    [
        "an address that another Service has",
        { ...pool, traefik: "192.168.1.241" },
        [service("pangolin/gerbil-lan", "192.168.1.241")],
        "",
        applications,
        /^hearth:loadBalancer.traefik is 192.168.1.241, which Service pangolin\/gerbil-lan uses: set another/,
    ],
    [
        "a pool that moves away from Traefik",
        { addresses: ["192.168.2.10-192.168.2.20"] },
        [service("kube-system/traefik", "192.168.1.240")],
        pinned("192.168.1.240"),
        applications,
        /^Traefik uses 192.168.1.240, which is not in hearth:loadBalancer.addresses: add it .*:loadBalancer.traefik/,
    ],
    [
        "a pool that moves away from AdGuard",
        { addresses: ["192.168.2.10-192.168.2.20"], traefik: "192.168.2.10" },
        [service("adguard/adguard-lan", "192.168.1.250", "192.168.1.250")],
        pinned("192.168.1.240"),
        applications,
        /^AdGuard Home uses 192.168.1.250, which is not in hearth:loadBalancer.addresses/,
    ],
    [
        "a pool that is full",
        { addresses: ["192.168.1.240-192.168.1.240"] },
        [service("kube-system/traefik", "192.168.1.240")],
        "",
        applications,
        /no free address for AdGuard Home: add a range; in use are 192.168.1.240$/,
    ],
])("%s is rejected in a sentence, before anything is changed", (_, settings, running, values, apps, message) => {
    expect(() => chosen(settings, running, values, apps)).toThrow(message);
});

test("a pool may move once the settings state both addresses", () => {
    const moved = { addresses: ["192.168.2.10-192.168.2.20"], traefik: "192.168.2.10", adguard: "192.168.2.11" };
    const running = [
        service("kube-system/traefik", "192.168.1.240"),
        service("adguard/adguard-lan", "192.168.1.250", "192.168.1.250"),
    ];

    expect(chosen(moved, running, pinned("192.168.1.240"))).toEqual({
        traefik: "192.168.2.10",
        adguard: "192.168.2.11",
    });
});

test("a node's own address, left behind by a disabled ServiceLB, is not kept", () => {
    expect(chosen(pool, [service("kube-system/traefik", "192.168.1.10")]).traefik).toBe("192.168.1.240");
});

describe("the outputs at the end of `pulumi up`", () => {
    const domain = "home.example.com";
    const addresses = { traefik: "192.168.1.240", adguard: "192.168.1.250" };
    const letsencrypt = { email: "me@example.com", provider: "cloudflare", staging: true } as const;

    test("Traefik's address, the router's DNS setting, and the page with the home's CA", () => {
        expect(firstSteps({ domain }, addresses)).toEqual({
            traefik: "192.168.1.240",
            dns: "192.168.1.250",
            router: "Set 192.168.1.250 as the DNS server that DHCP hands out, and no second one.",
            firstPage: "http://ca.home.example.com",
        });
        expect(firstSteps({ domain, letsencrypt }, addresses).firstPage).toBe("http://ca.home.example.com");
    });

    test("with certificates that every device trusts, the home page", () => {
        expect(firstSteps({ domain, letsencrypt: { ...letsencrypt, staging: false } }, addresses).firstPage).toBe(
            "https://home.home.example.com",
        );
    });

    test("without AdGuard, the record that the home's own DNS server needs", () => {
        expect(firstSteps({ domain }, { traefik: "10.0.0.1" })).toEqual({
            traefik: "10.0.0.1",
            dns: "none: this home does not run AdGuard Home",
            router: "Let your DNS server answer *.home.example.com with the address of traefik.",
            firstPage: "http://ca.home.example.com",
        });
    });

    test("every output has a value while the cluster is unknown", () => {
        expect(firstSteps({ domain }, undefined).traefik).toBe("unknown: the cluster does not answer yet");
    });
});
