import fc from "fast-check";
import { contains, formatIPv4, ipv4, overlap, parseRange } from "../../../config/networks";
import { parseSettings } from "../../../config/settings";
import { settingWarnings } from "../../../config/warnings";
import { configs, rawConfig } from "../hostile/configs";

const existing = configs["an existing cluster"];
const built = configs["machines to build one from"];
const nodes = (address: string) => [{ ...built.nodes[0], address }];

function messageOf(config: object): string | undefined {
    try {
        parseSettings(rawConfig(config));
        return undefined;
    } catch (error) {
        return (error as Error).message;
    }
}

const pool = (...addresses: string[]) => ({ ...existing, loadBalancer: { addresses } });

describe("kind 4: a value that is valid, and wrong for this home", () => {
    test.each<[string, object, RegExp]>([
        [
            "a pool that is the whole LAN (B08)",
            pool("192.168.1.240/24"),
            /addresses\[0\]: .*not all of 192\.168\.1\.0\/24/,
        ],
        ["a pool of a whole /24", pool("10.0.1.0/24"), /not all of 10\.0\.1\.0\/24/],
        ["a pool of all but the ends", pool("192.168.1.1-192.168.1.254"), /not all of/],
        ["a pool of everything (B08)", pool("0.0.0.0/0"), /addresses of the home, outside/],
        [
            "a CIDR that begins within",
            pool("192.168.1.200/28"),
            /begins with its first address, which is 192\.168\.1\.192/,
        ],
        [
            "ranges that overlap (B08)",
            pool("192.168.1.10-192.168.1.20", "192.168.1.20-192.168.1.30"),
            /addresses\[1\]: .*in common/,
        ],
        [
            "a pool with a node in it (B08)",
            { ...built, loadBalancer: { addresses: ["192.168.1.8-192.168.1.12"] } },
            /without 192\.168\.1\.10, which is hearth:nodes\[0\]\.address/,
        ],
        [
            "a pool with the gateway in it",
            { ...built, loadBalancer: { addresses: ["192.168.1.1-192.168.1.3"] } },
            /nodes\[0\]\.unlock\.gateway/,
        ],
        [
            "a pool with the NFS server in it",
            { ...pool("192.168.1.10-192.168.1.20"), nfs: { server: "192.168.1.15", path: "/e" } },
            /hearth:nfs\.server/,
        ],
        ["a pool of loopback", pool("127.0.0.1-127.0.0.9"), /loopback/],
        ["a pool of multicast", pool("224.0.0.0/28"), /multicast/],
        [
            "a node in the pods' network (B09)",
            { ...built, k3s: {}, nodes: nodes("10.42.0.10") },
            /k3s\.clusterCidr: .*10\.42\.0\.10 is in/,
        ],
        [
            "a node in the Services' network (B09)",
            { ...built, k3s: {}, nodes: nodes("10.43.255.1") },
            /k3s\.serviceCidr: .*10\.43\.255\.1 is in/,
        ],
        [
            "networks of pods and Services that overlap",
            { ...built, k3s: { clusterCidr: "10.52.0.0/16", serviceCidr: "10.52.128.0/17" } },
            /k3s\.serviceCidr: .*10\.52\.128\.0\/17 and 10\.52\.0\.0\/16 overlap/,
        ],
        [
            "an NFS server at localhost, which is another one for each node",
            { ...existing, nfs: { server: "localhost", path: "/export" } },
            /hearth:nfs\.server: .*loopback/,
        ],
        ["a node at loopback", { ...built, nodes: nodes("127.0.0.1") }, /loopback/],
        ["a domain that is an address", { ...existing, domain: "192.168.1.10" }, /hearth:domain: .*DNS name/],
        [
            "HEAD as revision (B44)",
            { ...existing, repository: { ...existing.repository, revision: "HEAD" } },
            /revision: .*a branch/,
        ],
        [
            "a full ref (B44)",
            { ...existing, repository: { ...existing.repository, revision: "refs/heads/main" } },
            /a branch/,
        ],
        ["a commit (B44)", { ...existing, repository: { ...existing.repository, revision: "61e9540" } }, /a branch/],
        [
            "a URL with a slash at its end",
            { ...existing, repository: { url: "https://git.example.com/home/hearth.git/" } },
            /a slash at its end/,
        ],
        ...["home.local", "nas.localhost", "home.invalid", "abcdefghij.onion"].map(
            (domain): [string, object, RegExp] => [
                `the domain ${domain}, which devices ask no DNS server for`,
                { ...existing, domain },
                /hearth:domain: .*a domain that devices ask the home's DNS server for/,
            ],
        ),
        ...[
            "https://github.com/me/hearth/tree/main",
            "https://github.com/me/hearth/blob/main/README.md",
            "https://git.example.com/me/hearth/src/branch/main",
            "https://gitlab.com/group/sub/hearth/-/tree/main",
            "https://github.com/me/hearth/pull/7",
            "https://github.com/me/hearth/settings",
            "https://github.com",
        ].map((url): [string, object, RegExp] => [
            `the web page ${url} as repository`,
            { ...existing, repository: { url } },
            /hearth:repository\.url: .*by which the repository is cloned, without the pages/,
        ]),
        [
            "a NAS in the pods' network",
            { ...existing, nfs: { server: "10.42.0.5", path: "/export" } },
            /hearth:nfs\.server: .*outside 10\.42\.0\.0\/16, which is hearth:k3s\.clusterCidr/,
        ],
        [
            "a numeric serial (B10)",
            {
                ...built,
                nodes: [
                    { ...built.nodes[0], disks: built.nodes[0].disks.map((disk) => ({ ...disk, serial: 123456781 })) },
                ],
            },
            /serial: got the number 123456781, expected .*in quotes[\s\S]*--type string <value>$/,
        ],
        [
            "a dotted key (B11)",
            { ...existing, secrets: { traefik: { "tls.crt": "" } } },
            /--path 'hearth:secrets\.traefik\["tls\.crt"\]'/,
        ],
    ])("%s", (_, config, message) => {
        expect(messageOf(config)).toMatch(message);
    });

    test.each([
        "https://github.com/me/hearth",
        "https://git.example.com/tree/hearth.git",
        "https://gitlab.com/group/sub/project",
        "https://example.com/git/me/settings.git",
        "http://nas:3000/hearth.git",
    ])("the repository %s is accepted", (url) => {
        expect(messageOf({ ...existing, repository: { url } })).toBeUndefined();
    });

    describe("a valid setting that is wrong in most homes causes a warning", () => {
        const warnings = (config: object) => settingWarnings(parseSettings(rawConfig(config))).join("\n");

        test.each([
            ["192.168.1.1-192.168.1.20", "192.168.1.1"],
            ["192.168.1.240/28", "192.168.1.254"],
            ["10.0.0.200-10.0.0.254", "10.0.0.254"],
        ])("the pool %s, which has the address of most routers", (range, router) => {
            expect(warnings(pool(range))).toContain(
                `hearth:loadBalancer.addresses has ${router}, the router's address`,
            );
        });

        test("but not where the pool leaves it out, or the router is known", () => {
            expect(warnings(pool("192.168.1.240-192.168.1.250"))).not.toContain("router");
            const { unlock } = built.nodes[0];
            expect(unlock.gateway).toBe("192.168.1.1");
            expect(warnings({ ...built, loadBalancer: { addresses: ["192.168.1.240/28"] } })).not.toContain("router");
        });
    });

    test.each(["192.168.1.240-192.168.1.250", "192.168.1.240/28", "192.168.1.7/32", "192.168.1.128/25"])(
        "accepts the pool %s",
        (range) => expect(messageOf(pool(range))).toBeUndefined(),
    );

    const address = fc
        .tuple(
            fc.constantFrom("10.42.0", "10.43.1", "127.0.0", "192.168.1", "192.168.1", "192.168.2"),
            fc.constantFrom(0, 1, 10, 16, 20, 64, 128, 192, 240, 254, 255),
        )
        .map((parts) => parts.join("."));
    const range = fc.oneof(
        fc.tuple(address, fc.constantFrom(0, 8, 24, 26, 28, 28, 32, 32)).map(([first, prefix]) => `${first}/${prefix}`),
        fc
            .tuple(address, fc.nat(400))
            .map(([first, size]) => `${first}-${formatIPv4(Math.min(ipv4(first) + size, 2 ** 32 - 1))}`),
    );

    test("no accepted pool overlaps another, or contains a host's address, a whole network or one of the cluster's own", () => {
        const refused = new Set<string>();
        fc.assert(
            fc.property(fc.array(range, { minLength: 1, maxLength: 3 }), address, (addresses, server) => {
                const message = messageOf({ ...pool(...addresses), nfs: { server, path: "/export" } });
                if (message !== undefined) {
                    for (const words of ["not all of", "in common", "begins with", "outside 10.4", "without 1"]) {
                        if (message.includes(words)) {
                            refused.add(words);
                        }
                    }
                    return true;
                }
                const ranges = addresses.flatMap((each) => parseRange(each) ?? []);
                const own = ["10.42.0.0/16", "10.43.0.0/16", "127.0.0.0/8"].flatMap((each) => parseRange(each) ?? []);
                return (
                    ranges.length === addresses.length &&
                    ranges.every((each) => each.last - each.first < 500 && !contains(each, server)) &&
                    ranges.every((each, index) => ranges.slice(index + 1).every((other) => !overlap(each, other))) &&
                    ranges.every((each) => own.every((network) => !overlap(network, each)))
                );
            }),
            { numRuns: 1_500 },
        );
        expect([...refused].sort()).toEqual(
            expect.arrayContaining(["begins with", "in common", "not all of", "outside 10.4", "without 1"]),
        );
    });
});
