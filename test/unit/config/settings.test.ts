import { parseSettings } from "../../../config/settings";
import { privateKey, publicKey } from "../keys";

/** A realistic config in Pulumi's form: plain strings, and JSON for structured values. */
const good = {
    domain: "home.example.com",
    kubeconfig: "kubeconfig.yaml",
    repository: JSON.stringify({ url: "https://git.home.example.com/home/hearth.git" }),
    loadBalancer: JSON.stringify({ addresses: ["192.168.1.240-192.168.1.250"] }),
    nfs: JSON.stringify({ server: "nas.home.example.com", path: "/export/media" }),
};

const parse = (changes: Record<string, string | undefined>) =>
    parseSettings({
        stack: "home",
        values: Object.fromEntries(
            Object.entries({ ...good, ...changes }).flatMap(([key, value]) =>
                value === undefined ? [] : [[key, value]],
            ),
        ),
        secretKeys: new Set(["kubeconfig", "secrets"]),
    });

const errorOf = (changes: Record<string, string | undefined>): string => {
    try {
        parse(changes);
    } catch (error) {
        return (error as Error).message;
    }
    throw new Error("the config was accepted");
};

describe("a valid config", () => {
    test("gets the documented defaults", () => {
        expect(parse({})).toMatchObject({
            cluster: "home",
            repository: { revision: "main" },
            charts: {},
            tierTimeout: "30m",
            secrets: {},
        });
    });

    test.each([
        ["a CIDR for the load balancer", { loadBalancer: '{"addresses":["192.168.1.240/28"]}' }],
        ["several ranges", { loadBalancer: '{"addresses":["10.0.0.1-10.0.0.9","10.0.1.16/28"]}' }],
        ["a mirror of the upstream charts", { charts: '{"repository":"http://127.0.0.1:8080"}' }],
        ["a home without an NFS export", { nfs: undefined }],
        ["an NFS server by address", { nfs: '{"server":"192.168.1.5","path":"/tank"}' }],
        ["the contents of a kubeconfig", { kubeconfig: "apiVersion: v1\nkind: Config\n" }],
        ["secrets by chart and key", { secrets: '{"cert-manager":{"api-token":"x"}}' }],
        ["a Gitea by its administrator's password", { gitea: '{"password":"x"}' }],
        ["a home that has its own Gitea", { repository: undefined }],
        ["its own Gitea at another address", { repository: undefined, gitea: '{"address":"http://127.0.0.1:3000"}' }],
        ["a longer time for a tier", { tierTimeout: "1h" }],
        ["a small home", { profile: "small" }],
    ])("accepts %s", (_, changes) => {
        expect(() => parse(changes)).not.toThrow();
    });
});

describe("the location of the repository", () => {
    const elsewhere = "https://git.example.org/haus/hearth.git";

    test("without a URL, in the home's own Gitea, by the name that Gitea has in the home", () => {
        expect(parse({ repository: undefined })).toMatchObject({
            repository: { url: "http://git.home.example.com/home/hearth.git", revision: "main" },
            ownGitea: true,
            gitea: { address: "http://gitea.gitops.svc.cluster.local:3000" },
        });
    });

    test("with a URL, on an existing Git server, and the home's own is not used", () => {
        const settings = parse({ repository: JSON.stringify({ url: elsewhere, revision: "trunk" }) });
        expect(settings.repository).toEqual({ url: elsewhere, revision: "trunk" });
        expect([settings.ownGitea, settings.gitea.password]).toEqual([false, undefined]);
    });

    test("with a password, on an existing Gitea, where it is declared", () => {
        const { gitea, ownGitea } = parse({ gitea: '{"password":"x"}' });
        expect(gitea).toMatchObject({ administrator: "hearth", password: "x" });
        expect(ownGitea).toBe(false);
    });

    test.each([
        [
            "a password for the home's own",
            { repository: undefined, gitea: '{"password":"x"}' },
            /hearth:gitea.password/,
        ],
        [
            "a Gitea without a password",
            { gitea: "{}" },
            /invalid hearth:gitea.password: got nothing, expected the password/,
        ],
        [
            "the address of the home's own for another",
            { gitea: '{"password":"x","address":"http://10.0.0.1"}' },
            /set either hearth:repository.url or hearth:gitea.address, not both/,
        ],
    ])("%s is a mistake", (_, changes, message) => {
        expect(errorOf(changes)).toMatch(message);
    });
});

const machine = (name: string, last: number, role = "server") => ({
    name,
    address: `192.168.1.${last}`,
    user: "admin",
    hostKey: publicKey,
    role,
});

/** A config that builds its cluster, instead of using an existing one. */
const built = (nodes: object[], changes: Record<string, string | undefined> = {}) => ({
    kubeconfig: undefined,
    nodes: JSON.stringify(nodes),
    ssh: JSON.stringify({ privateKey }),
    ...changes,
});

const disk = (serial: string) => ({ device: `/dev/disk/by-id/${serial}`, size: "4TB", serial });

describe("nodes to build a cluster from", () => {
    test("may be one server with agents", () => {
        expect(parse(built([machine("a", 1), machine("b", 2, "agent")])).nodes).toMatchObject([
            { name: "a", port: 22, labels: {}, taints: [], disks: [] },
            { name: "b" },
        ]);
    });

    test.each([
        ["neither a kubeconfig nor nodes", { kubeconfig: undefined }, /hearth:kubeconfig: got nothing, .*or "nodes"/],
        [
            "a kubeconfig and nodes",
            built([machine("a", 1)], { kubeconfig: "kubeconfig.yaml" }),
            /set either hearth:kubeconfig or hearth:nodes, not both/,
        ],
        ["no key", built([machine("a", 1)], { ssh: undefined }), /hearth:ssh.privateKey: .*the private key/],
        [
            "an empty way in",
            built([machine("a", 1)], { ssh: "{}" }),
            /hearth:ssh.privateKey: .*or hearth:ssh.agent: true/,
        ],
        [
            "a key and an agent",
            built([machine("a", 1)], { ssh: JSON.stringify({ privateKey, agent: true }) }),
            /set either hearth:ssh.privateKey or hearth:ssh.agent, not both/,
        ],
        ["no node", built([]), /hearth:nodes: .*at least one node/],
        ["no server", built([machine("a", 1, "agent")]), /hearth:nodes: .*at least one node with the role "server"/],
        [
            "two servers",
            built([machine("a", 1), machine("b", 2)], { api: '{"address":"192.168.1.9"}' }),
            /an odd number of servers, not 2: .*make one an agent/,
        ],
        [
            "several servers without an address that outlives one",
            built([machine("a", 1), machine("b", 2), machine("c", 3)]),
            /invalid hearth:api.address: got nothing, expected with several servers, an address that outlives/,
        ],
        [
            "a name for the servers to hold among themselves",
            built([machine("a", 1)], { api: '{"address":"api.home.arpa","virtual":true}' }),
            /hearth:api.address: .*expected with hearth:api.virtual, a free IPv4 address in the network of the servers/,
        ],
        [
            "a node's own address for the servers to hold among themselves",
            built([machine("a", 1)], { api: '{"address":"192.168.1.1","virtual":true}' }),
            /hearth:api.address: .*a free IPv4 address/,
        ],
        [
            "an address for the servers to hold among themselves that MetalLB may give away",
            built([machine("a", 1)], {
                api: '{"address":"192.168.1.9","virtual":true}',
                loadBalancer: '{"addresses":["10.0.0.1-10.0.0.9","192.168.1.8-192.168.1.20"]}',
            }),
            /hearth:loadBalancer.addresses\[1\]: .*without 192.168.1.9, which is hearth:api.address/,
        ],
        ["a name twice", built([machine("a", 1), machine("a", 2, "agent")]), /"a" occurs more than once/],
        [
            "an address twice, which two ports do not make two hosts",
            built([machine("a", 1), { ...machine("b", 1, "agent"), port: 2222 }]),
            /192.168.1.1 occurs more than once/,
        ],
        [
            "no host key",
            built([{ ...machine("a", 1), hostKey: undefined }]),
            /invalid hearth:nodes\[0\].hostKey: got nothing, expected the public host key.*hack\/host-keys/,
        ],
        [
            "three disks for RAID6",
            built([{ ...machine("a", 1), disks: ["1", "2", "3"].map(disk), raid: 6 }]),
            /invalid hearth:nodes\[0\].disks: got .*expected 4 disks or more, which RAID6 takes, or another "raid"/,
        ],
        [
            "stripes, which lose everything with one disk",
            built([{ ...machine("a", 1), disks: ["1", "2"].map(disk), raid: 0 }]),
            /hearth:nodes\[0\].raid: got the number 0, expected 1, 5 or 6/,
        ],
        [
            "disks that all report the same serial",
            built([{ ...machine("a", 1), disks: ["1", "1", "2", "3"].map(disk) }]),
            /the serial number 1 occurs more than once .*connect them without it/,
        ],
        [
            "a disk by a name that changes",
            built([{ ...machine("a", 1), disks: [{ ...disk("1"), device: "/dev/sda" }] }]),
            /a path that outlives a reboot/,
        ],
        [
            "data disks without a passphrase",
            built([{ ...machine("a", 1), disks: ["1", "2", "3", "4"].map(disk) }]),
            /hearth:storage.passphrase: .*the passphrase of the data disks/,
        ],
    ])("%s: states the fix", (_, changes, message) => {
        expect(errorOf(changes)).toMatch(message);
    });
});

describe("a value that a script or kubectl could misread is rejected", () => {
    const node = machine("a", 1);

    test.each(["-", "-x", "a b", "$(id)", "a'b"])("the serial number %j", (serial) => {
        const disks = [serial, "2", "3", "4"].map(disk);
        expect(errorOf(built([{ ...node, disks }]))).toMatch(/hearth:nodes\[0\].disks\[0\].serial: .*as `lsblk/);
    });

    test.each(["--all:NoSchedule", "a=b c:NoSchedule", "$(id):NoExecute", "gpu:Never"])("the taint %j", (taint) => {
        expect(errorOf(built([{ ...node, taints: [taint] }]))).toMatch(/hearth:nodes\[0\].taints\[0\]: .*a taint, for/);
    });

    test.each(["--all", "a b", "$(id)", "a'b", "a\nb"])("the label's value %j", (room) => {
        expect(errorOf(built([{ ...node, labels: { room } }]))).toMatch(
            /hearth:nodes\[0\].labels.room: .*a label's value/,
        );
    });

    test.each(["--all", "a b", "a=b"])("the label's key %j", (key) => {
        expect(errorOf(built([{ ...node, labels: { [key]: "b" } }]))).toMatch(/hearth:nodes\[0\].labels/);
    });
});

describe("an invalid config states the path, the value and the expected form", () => {
    test.each([
        [
            "a missing domain",
            { domain: undefined },
            /invalid hearth:domain: got nothing, expected a lower-case DNS name/,
        ],
        [
            "an upper-case domain",
            { domain: "Home.Example" },
            /invalid hearth:domain: got "Home.Example", expected a lower-case DNS name/,
        ],
        ["a domain without a dot", { domain: "home" }, /hearth:domain: got "home"/],
        [
            "a range that ends before it begins",
            { loadBalancer: '{"addresses":["10.0.0.9-10.0.0.1"]}' },
            /invalid hearth:loadBalancer.addresses\[0\]: got "10.0.0.9-10.0.0.1", expected an IPv4 range/,
        ],
        [
            "an address that does not exist",
            { loadBalancer: '{"addresses":["10.0.0.300-10.0.0.310"]}' },
            /addresses\[0\]/,
        ],
        ["a CIDR that does not exist", { loadBalancer: '{"addresses":["10.0.0.0/33"]}' }, /addresses\[0\]/],
        ["one address without a range", { loadBalancer: '{"addresses":["10.0.0.1"]}' }, /addresses\[0\]/],
        [
            "no range at all",
            { loadBalancer: '{"addresses":[]}' },
            /invalid hearth:loadBalancer.addresses: got \[\], expected at least one range/,
        ],
        [
            "an address of Traefik outside of the pool",
            { loadBalancer: '{"addresses":["10.0.0.1-10.0.0.9"],"traefik":"10.0.0.10"}' },
            /invalid hearth:loadBalancer.traefik: got "10.0.0.10", expected an address in a range of hearth:loadBalancer.addr/,
        ],
        [
            "an address that MetalLB assigns to no Service",
            { loadBalancer: '{"addresses":["10.0.0.240-10.0.0.255"],"adguard":"10.0.0.255"}' },
            /hearth:loadBalancer.adguard: got "10.0.0.255", expected an address that does not end in .0 or .255/,
        ],
        [
            "one address for Traefik and AdGuard",
            { loadBalancer: '{"addresses":["10.0.0.1-10.0.0.9"],"traefik":"10.0.0.2","adguard":"10.0.0.2"}' },
            /set hearth:loadBalancer.traefik and hearth:loadBalancer.adguard to two addresses/,
        ],
        [
            "Let's Encrypt for a domain that nobody owns",
            { domain: "home.arpa", letsencrypt: '{"email":"me@example.com","provider":"cloudflare"}' },
            /hearth:domain: got "home.arpa", expected with hearth:letsencrypt, a domain that you own: no public CA signs/,
        ],
        [
            "Let's Encrypt without the token of the DNS provider",
            { letsencrypt: '{"email":"me@example.com","provider":"cloudflare"}' },
            /hearth:secrets.cert-manager.dns-token: got nothing, expected with hearth:letsencrypt, the API token/,
        ],
        [
            "a DNS provider that cert-manager does not know here",
            { letsencrypt: '{"email":"me@example.com","provider":"godaddy"}' },
            /hearth:letsencrypt.provider: got "godaddy", expected one of cloudflare, digitalocean/,
        ],
        ["a string instead of a list", { loadBalancer: '{"addresses":"10.0.0.1-10.0.0.9"}' }, /expected a list/],
        [
            "a repository by SSH",
            { repository: '{"url":"git@example.com:home.git"}' },
            /invalid hearth:repository.url: got "git@example.com:home.git", expected a URL/,
        ],
        [
            "a relative NFS path",
            { nfs: '{"server":"nas","path":"export"}' },
            /invalid hearth:nfs.path: got "export", expected an absolute path/,
        ],
        ["a missing NFS server", { nfs: '{"path":"/export"}' }, /hearth:nfs.server: got nothing/],
        ["a misspelt key", { domian: "x" }, /unknown hearth:domian: did you mean "domain"\?/],
        [
            "a misspelt nested key",
            { nfs: '{"server":"nas","path":"/e","pth":"/f"}' },
            /hearth:nfs.pth: .*did you mean "path"\?/,
        ],
        ["a key that is like none", { wireguard: "x" }, /unknown hearth:wireguard: expected one of domain, cluster,/],
        [
            "a time without a unit",
            { tierTimeout: "10" },
            /invalid hearth:tierTimeout: got "10", expected a whole number of seconds/,
        ],
        [
            "a string instead of a map",
            { nfs: "nas:/export" },
            /invalid hearth:nfs: got "nas:\/export", expected an object/,
        ],
        ["broken JSON", { nfs: '{"server":' }, /hearth:nfs: got .* expected an object/],
        ["a cluster that is not a folder name", { cluster: "../home" }, /hearth:cluster: got "..\/home"/],
        [
            "an empty secret",
            { secrets: '{"database":{"password":""}}' },
            /invalid hearth:secrets.database.password: got a secret, expected a string that is not empty/,
        ],
    ])("%s", (_, changes, message) => {
        expect(errorOf(changes)).toMatch(message);
    });

    test("all mistakes at once, with the command that sets a value", () => {
        const error = errorOf({ domain: "home", nfs: '{"server":"nas","path":"export"}', domian: "x" });
        expect(error).toMatch(/^3 mistakes in the config of stack home \(Pulumi\.home\.yaml\):/);
        expect(error).toMatch(/pulumi config set --stack home --path 'hearth:domain' <value>$/);
    });

    test("never prints a secret", () => {
        expect(errorOf({ secrets: '{"database":"hunter2"}' })).not.toContain("hunter2");
    });
});
