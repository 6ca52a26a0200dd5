import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { templates } from "../unit/inputs/templates";
import { configFile, containers, ofKind, workloads } from "./manifest";
import { charts, chartsDirectory, exampleOf, examplesDirectory, helms, inParallel, Workspace } from "./workspace";

const workspaces = Object.fromEntries(helms.map((helm) => [helm, new Workspace(helm)]));

afterAll(() => {
    for (const workspace of Object.values(workspaces)) {
        workspace.remove();
    }
});

const workspace = (helm: string): Workspace => {
    const found = workspaces[helm];
    if (!found) {
        throw new Error(`no workspace for ${helm}`);
    }
    return found;
};

/** Values with a mistake, the key that the message has to contain, and the expected form. */
const mistakes: readonly [what: string, chart: string, values: object, key: string, expected: string][] = [
    ["an unknown key at the top", "jellyfin", { workload: {} }, "workload:", "expected one of configs, defaults"],
    [
        "a misspelt key of a workload",
        "jellyfin",
        { workloads: { jellyfin: { imagee: "x" } } },
        "workloads.jellyfin.imagee:",
        "did you mean image? expected one of address, architectures",
    ],
    [
        "a misspelt key of a port",
        "syncthing",
        { workloads: { syncthing: { ports: { sync: { prot: 1 } } } } },
        "workloads.syncthing.ports.sync.prot:",
        "did you mean port? expected one of hostPort, lan, port, protocol",
    ],
    [
        "a string for a number",
        "jellyfin",
        { workloads: { seerr: { replicas: "two" } } },
        "workloads.seerr.replicas:",
        "expected integer",
    ],
    [
        "a number for a string",
        "jellyfin",
        { workloads: { seerr: { image: { tag: 3 } } } },
        "workloads.seerr.image.tag:",
        "expected string (a released version",
    ],
    [
        "an image without a version",
        "jellyfin",
        { workloads: { seerr: { image: { tag: "latest" } } } },
        "workloads.seerr.image.tag:",
        "a released version",
    ],
    [
        "an image without a registry",
        "jellyfin",
        { workloads: { seerr: { image: { repository: "seerr" } } } },
        "workloads.seerr.image.repository:",
        "image with its registry",
    ],
    [
        "an Ingress without a host",
        "ntfy",
        { workloads: { ntfy: { ingress: { host: null } } } },
        "workloads.ntfy.ingress.host:",
        "expected string (host name without the domain",
    ],
    [
        "a host with its domain",
        "ntfy",
        { workloads: { ntfy: { ingress: { host: "ntfy.home.arpa" } } } },
        "workloads.ntfy.ingress.host:",
        "host name without the domain",
    ],
    [
        "a service without a login, and without a reason",
        "ntfy",
        { workloads: { ntfy: { ingress: { public: true, login: "none" } } } },
        "workloads.ntfy.ingress.reason is missing",
        "give the reason for no login on the Internet",
    ],
    [
        "a reason for what has a login",
        "ntfy",
        { workloads: { ntfy: { ingress: { public: true, reason: "phones" } } } },
        "workloads.ntfy.ingress.reason",
        "both, or neither",
    ],
    [
        "a login of a service that is not on the Internet",
        "ntfy",
        { workloads: { ntfy: { ingress: { login: "pangolin" } } } },
        "workloads.ntfy.ingress.login",
        "set public: true",
    ],
    [
        "a list for an object",
        "ntfy",
        { workloads: { ntfy: { ingress: ["ntfy"] } } },
        "workloads.ntfy.ingress:",
        "expected object",
    ],
    [
        "a workload for an architecture that no node has",
        "ntfy",
        { global: { architectures: ["arm64"] }, defaults: { architectures: ["amd64"] } },
        "workloads.ntfy.architectures is amd64",
        "the home's nodes have arm64",
    ],
    [
        "a token for a container that is not there",
        "glance",
        { workloads: { glance: { tokenFor: "apis" } } },
        'workloads.glance.tokenFor is "apis"',
        "a container of the workload: api, glance",
    ],
    [
        "a VPN provider that does not exist",
        "qbittorrent",
        { vpn: { provider: "mulvad" } },
        "vpn.provider:",
        "one of airvpn, ivpn, mullvad, nordvpn, protonvpn, surfshark, windscribe",
    ],
    [
        "an unknown kind",
        "ntfy",
        { workloads: { ntfy: { kind: "ReplicaSet" } } },
        "workloads.ntfy.kind:",
        "one of Deployment, StatefulSet, DaemonSet, CronJob, Job",
    ],
    [
        "an unknown architecture",
        "ntfy",
        { defaults: { architectures: ["x86"] } },
        "defaults.architectures[0]:",
        "one of amd64, arm64",
    ],
    [
        "a quantity that Kubernetes would write differently",
        "ntfy",
        { workloads: { ntfy: { resources: { requests: { cpu: "1000m" } } } } },
        "workloads.ntfy.resources.requests.cpu:",
        "1500m",
    ],
    [
        "a size without a unit",
        "ntfy",
        { workloads: { ntfy: { volumes: { data: { claim: { size: "5" } } } } } },
        "workloads.ntfy.volumes.data.claim.size:",
        "for instance 512Mi",
    ],
    [
        "a volume with two sources",
        "ntfy",
        { workloads: { ntfy: { volumes: { data: { empty: {} } } } } },
        "workloads.ntfy.volumes.data has 2 sources",
        "exactly one of claim, claimOf",
    ],
    [
        "a ConfigMap that is not there",
        "ntfy",
        { workloads: { ntfy: { volumes: { config: { configMap: "nfty" } } } } },
        'workloads.ntfy.volumes.config.configMap is "nfty"',
        "one of configs: ntfy",
    ],
    [
        "two pods on one volume",
        "ntfy",
        { workloads: { ntfy: { replicas: 2 } } },
        "workloads.ntfy.replicas is 2",
        "a claim with access ReadWriteMany",
    ],
    [
        "a volume that only a CronJob would bind",
        "database",
        { workloads: { dump: { volumes: { dumps: { claim: { class: "local-path", access: "ReadWriteOnce" } } } } } },
        "workloads.dump.volumes.dumps:",
        "class nfs",
    ],
    [
        "a CronJob without a schedule",
        "database",
        { workloads: { dump: { schedule: null } } },
        "workloads.dump.schedule is missing",
        "as in crontab",
    ],
    [
        "two containers with a port of the same name",
        "database",
        { workloads: { postgres: { sidecars: { exporter: { ports: { postgres: 9188 } } } } } },
        'have a port named "postgres"',
        "give each port a name of its own",
    ],
    ["a domain without a dot", "ntfy", { global: { domain: "home" } }, "global.domain:", "for instance home.arpa"],
    ["a misspelt global value", "ntfy", { global: { domian: "home.arpa" } }, "global.domian:", "did you mean domain?"],
    [
        "a workload's name in capitals",
        "ntfy",
        { workloads: { Ntfy: {} } },
        "workloads.Ntfy:",
        "lower-case letters, digits and dashes",
    ],
    ["a workload without an image", "ntfy", { workloads: { other: {} } }, "workloads.other.image is missing", "object"],
    [
        "a chart's own value of the wrong type",
        "database",
        { databases: ["immich"] },
        "databases:",
        "expected object (Databases by name)",
    ],
    [
        "a chart's own unknown key",
        "database",
        { databases: { immich: { extension: [] } } },
        "databases.immich.extension:",
        "extensions, namespace",
    ],
    ["an *arr without a port", "arr", { arrs: { lidarr: { tag: "2.0.0" } } }, "arrs.lidarr.port:", "expected integer"],
    [
        "a probe of a port that does not exist",
        "ntfy",
        { workloads: { ntfy: { health: { port: "htp" } } } },
        'workloads.ntfy.health.port is "htp"',
        "a port of the container: http, metrics",
    ],
    [
        "an Ingress for a port that does not exist",
        "ntfy",
        { workloads: { ntfy: { ingress: { port: "web" } } } },
        'workloads.ntfy.ingress.port is "web"',
        "a port of the workload: http, metrics",
    ],
    [
        "metrics at a port that does not exist",
        "ntfy",
        { workloads: { ntfy: { metrics: { port: 9191 } } } },
        'workloads.ntfy.metrics.port is "9191"',
        "8080, 9090",
    ],
    [
        "a connection to a port that does not exist",
        "ntfy",
        { workloads: { ntfy: { network: { from: [{ namespace: "gatus", ports: ["htp"] }] } } } },
        'workloads.ntfy.network.from[0].ports is "htp"',
        "8080, 9090, http, metrics",
    ],
    [
        "a connection to a workload that does not exist",
        "ntfy",
        { workloads: { ntfy: { network: { to: [{ workload: "cache" }] } } } },
        'workloads.ntfy.network.to[0].workload is "cache"',
        "a workload of the chart: ntfy",
    ],
    [
        "a connection without a peer, which Kubernetes takes for every peer",
        "ntfy",
        { workloads: { ntfy: { network: { to: [{ internet: false, ports: [443] }] } } } },
        "workloads.ntfy.network.to[0] has no peer",
        "one of workload, namespace, internet",
    ],
    [
        "a connection to an invalid range of addresses",
        "ntfy",
        { workloads: { ntfy: { network: { to: [{ cidr: "10.0.0.0/33" }] } } } },
        "workloads.ntfy.network.to[0].cidr:",
        "for instance 192.168.1.0/24",
    ],
    [
        "a connection with an unknown protocol",
        "ntfy",
        { workloads: { ntfy: { network: { to: [{ internet: true, ports: ["443/SCTP"] }] } } } },
        "workloads.ntfy.network.to[0].ports[0]:",
        "with /UDP where not TCP",
    ],
    [
        "a secret that is not declared",
        "ntfy",
        { workloads: { ntfy: { env: { TOKEN: { secret: "token" } } } } },
        'workloads.ntfy.env.TOKEN.secret is "token"',
        "a key of charts/ntfy/secrets.yaml: none exists",
    ],
    [
        "the claim of a workload that does not exist",
        "ntfy",
        { workloads: { ntfy: { volumes: { more: { claimOf: { workload: "nfty" }, mount: "/more" } } } } },
        'workloads.ntfy.volumes.more.claimOf.workload is "nfty"',
        "a workload of the chart: ntfy",
    ],
    [
        "a claim that the other workload does not have",
        "ntfy",
        { workloads: { ntfy: { volumes: { more: { claimOf: { workload: "ntfy" }, mount: "/more" } } } } },
        'workloads.ntfy.volumes.more.claimOf.volume is "more"',
        "a volume of ntfy with a claim: data",
    ],
    [
        "a mount in a container that does not exist",
        "ntfy",
        { workloads: { ntfy: { volumes: { data: { mounts: { cache: "/data" } } } } } },
        'workloads.ntfy.volumes.data.mounts is "cache"',
        "a container of the workload: ntfy",
    ],
    [
        "two volumes in one folder",
        "ntfy",
        { workloads: { ntfy: { volumes: { data: { mount: "/etc/ntfy" } } } } },
        "workloads.ntfy.volumes.data is mounted at /etc/ntfy",
        "as config is",
    ],
    [
        "a volume's name in capitals",
        "ntfy",
        { workloads: { ntfy: { volumes: { Data: { empty: {}, mount: "/more" } } } } },
        "workloads.ntfy.volumes.Data:",
        "lower-case letters, digits and dashes",
    ],
    [
        "a port above 65535",
        "ntfy",
        { workloads: { ntfy: { ports: { http: 70000 } } } },
        "workloads.ntfy.ports.http:",
        "from 1 to 65535",
    ],
    [
        "two names for one port",
        "ntfy",
        { workloads: { ntfy: { ports: { other: 8080 } } } },
        "workloads.ntfy.ports.other is 8080/TCP",
        "as port http is",
    ],
    [
        "a request above its limit",
        "ntfy",
        { workloads: { ntfy: { resources: { requests: { memory: "1Gi" } } } } },
        "workloads.ntfy.resources.requests.memory is 1Gi",
        "at most the limit, 256Mi",
    ],
    [
        "a DaemonSet with one volume for all nodes",
        "ntfy",
        { workloads: { ntfy: { kind: "DaemonSet" } } },
        "workloads.ntfy.volumes.data:",
        "a claim with access ReadWriteMany",
    ],
    [
        "a negative number of pods",
        "ntfy",
        { workloads: { ntfy: { replicas: -1 } } },
        "workloads.ntfy.replicas:",
        "of at least 0",
    ],
    [
        "an address with an invalid number",
        "ntfy",
        { workloads: { ntfy: { address: "192.168.1.999" } } },
        "workloads.ntfy.address:",
        "a fixed address",
    ],
    [
        "an unknown operator of a toleration",
        "ntfy",
        { workloads: { ntfy: { tolerations: [{ operator: "exists" }] } } },
        "workloads.ntfy.tolerations[0].operator:",
        "one of Exists, Equal",
    ],
    [
        "a node of an architecture that the home does not have",
        "ntfy",
        {
            global: { architectures: ["amd64"] },
            workloads: { ntfy: { nodeSelector: { "kubernetes.io/arch": "arm64" } } },
        },
        "workloads.ntfy.nodeSelector requires arm64",
        "expected one of amd64",
    ],
    [
        "a schedule with an hour that does not exist",
        "database",
        { workloads: { dump: { schedule: "0 24 * * *" } } },
        "workloads.dump.schedule:",
        "as in crontab",
    ],
    [
        "a domain with a label that DNS cannot have",
        "ntfy",
        { global: { domain: `${"a".repeat(64)}.arpa` } },
        "global.domain:",
        "for instance home.arpa",
    ],
    [
        "an address of the home with an invalid number",
        "adguard",
        { global: { addresses: { traefik: "192.168.1.256" } } },
        "global.addresses.traefik:",
        "an IPv4 address",
    ],
    [
        "Let's Encrypt without a provider",
        "cert-manager",
        { letsencrypt: { email: "me@example.com" } },
        "letsencrypt.provider is empty",
        "both e-mail and provider",
    ],
];

describe.each(helms)("%s", (helm) => {
    test.each(mistakes)("rejects %s (%s)", async (_what, chart, values, key, expected) => {
        const error = await workspace(helm)
            .template(
                chart,
                ...Object.entries(values).flatMap(([key, value]) => ["--set-json", `${key}=${JSON.stringify(value)}`]),
            )
            .then(
                () => "rendered",
                ({ stderr }: { stderr: string }) => stderr,
            );

        expect(error).toContain(key);
        expect(error).toContain(expected);
    });

    test("rejects a schema with an unsupported keyword", async () => {
        const own = new Workspace(helm);
        try {
            const path = "common/schema/values.schema.json";
            const schema = JSON.parse(readFileSync(join(chartsDirectory, path), "utf8"));
            schema.$defs.workload.properties.replicas.multipleOf = 2;
            own.write(path, JSON.stringify(schema));
            const error = await own
                .template("navidrome", "--set", "workloads.navidrome.replicas=0")
                .catch(({ stderr }: { stderr: string }) => stderr);

            expect(error).toContain("workloads.navidrome.replicas has the keyword multipleOf, which charts/common");
        } finally {
            own.remove();
        }
    });

    test("reports all mistakes at once", async () => {
        const error = await workspace(helm)
            .template("ntfy", "--set-json", 'workloads={"ntfy":{"replicas":"one","imagee":{}},"x":{"kind":1}}')
            .catch(({ stderr }: { stderr: string }) => stderr);

        expect(error).toContain("have 3 mistake(s)");
    });
});

describe("with realistic values", () => {
    test("every example belongs to a chart", () => {
        const names = readdirSync(examplesDirectory).map((name) => name.replace(".yaml", ""));

        expect(names.filter((name) => name !== "global" && !charts.includes(name))).toEqual([]);
    });

    test("every chart renders with the home's own domain and, with Let's Encrypt, with Traefik's single certificate", async () => {
        await inParallel(charts, async (chart) => {
            for (const ingress of ofKind(await workspace("helm4").render(chart, ...exampleOf(chart)), "Ingress")) {
                const host = ingress.spec?.rules?.[0]?.host;
                expect(host).toMatch(/\.home\.example\.com$/);
                expect(ingress.metadata.annotations).not.toHaveProperty(["cert-manager.io/cluster-issuer"]);
                expect(ingress.spec?.tls).toEqual([{ hosts: [host] }]);
            }
        });
    }, 60_000);

    test("with another ingress controller, each Ingress has its own certificate", async () => {
        const values = [...exampleOf("gatus"), "--set", "global.ingressClass=nginx"];
        const [ingress] = ofKind(await workspace("helm4").render("gatus", ...values), "Ingress");

        expect(ingress?.metadata.annotations).toMatchObject({ "cert-manager.io/cluster-issuer": "letsencrypt" });
        expect(ingress?.spec?.tls?.[0]?.secretName).toBe("gatus-tls");
    });

    test("with Let's Encrypt's staging server, orders a certificate that no service uses", async () => {
        const rehearsal = ["--set", "letsencrypt.staging=true,global.clusterIssuer=internal-ca"];
        const objects = await workspace("helm4").render("cert-manager", ...exampleOf("cert-manager"), ...rehearsal);
        const issuerOf = (name: string) =>
            objects.flatMap((each) =>
                each.kind === "Certificate" && each.metadata.name === name ? Object(each).spec.issuerRef.name : [],
            );

        expect(issuerOf("rehearsal")).toEqual(["letsencrypt-staging"]);
        expect(issuerOf("wildcard")).toEqual(["internal-ca"]);
    });

    test("the CA page serves the certificate, never its key, and is absent with Let's Encrypt", async () => {
        const [deployment] = ofKind(await workspace("helm4").render("cert-manager"), "Deployment");
        const sources = deployment?.spec?.template.spec?.volumes?.flatMap(({ projected }) => projected?.sources ?? []);

        expect(sources?.flatMap(({ secret }) => secret ?? [])).toEqual([
            expect.objectContaining({ name: "internal-ca", items: [{ key: "tls.crt", path: "ca.crt" }] }),
        ]);
        expect(
            ofKind(await workspace("helm4").render("cert-manager", ...exampleOf("cert-manager")), "Deployment"),
        ).toEqual([]);
    });

    test("AdGuard answers the home's names with Traefik's address, at its own", async () => {
        const addresses = "global.addresses.traefik=192.168.1.240,global.addresses.adguard=192.168.1.250";
        const objects = await workspace("helm4").render("adguard", "--set", addresses);
        const service = ofKind(objects, "Service").find(({ metadata }) => metadata.name === "adguard-lan");

        expect(configFile(objects, "adguard", "names")).toBe("home.arpa 192.168.1.240\n*.home.arpa 192.168.1.240\n");
        expect(service?.metadata.annotations).toEqual({ "metallb.io/loadBalancerIPs": "192.168.1.250" });
    });

    test("addresses in AdGuard's values take precedence over the program's", async () => {
        const addresses = "global.addresses.traefik=10.0.0.1,global.addresses.adguard=10.0.0.2";
        const objects = await workspace("helm4").render("adguard", ...exampleOf("adguard"), "--set", addresses);
        const service = ofKind(objects, "Service").find(({ metadata }) => metadata.name === "adguard-lan");

        expect(configFile(objects, "adguard", "names")).toContain("*.home.example.com 192.168.1.240\n");
        expect(service?.metadata.annotations).toEqual({ "metallb.io/loadBalancerIPs": "192.168.1.241" });
    });

    test.each(helms)(
        "kind 3: whole numbers in a chart's env reach the container unchanged, with %s (B52)",
        async (helm) => {
            const env = { UPLOAD: 1_048_576, CHAT_ID: -1_001_234_567_890, NOTHING: 0, YES: true };
            const values = JSON.stringify({ seerr: { env } });
            const rendered = await workspace(helm).template("jellyfin", "--set-json", `workloads=${values}`);
            for (const [name, value] of Object.entries(env)) {
                expect(rendered).toContain(`- name: ${name}\n`);
                expect(rendered).toMatch(new RegExp(`name: ${name}\\n +value: "${value}"`));
            }
        },
    );

    test("Jellyfin gets the node's GPU, and stays restricted", async () => {
        const jellyfin = workloads(await workspace("helm3").render("jellyfin", ...exampleOf("jellyfin"))).find(
            ({ name }) => name === "jellyfin",
        );
        const [container] = jellyfin?.template.spec?.containers ?? [];

        expect(container?.resources?.limits).toEqual({ memory: "4Gi", "gpu.intel.com/i915": 1 });
        expect(jellyfin?.template.spec?.securityContext).toMatchObject({
            runAsNonRoot: true,
            supplementalGroups: [993],
        });
    });

    test.each([
        ["one amd64 node", ["amd64"]],
        ["arm64 nodes", ["arm64"]],
        ["both", ["amd64", "arm64"]],
    ])("a home with %s nodes has runners and Tdarr nodes of exactly its architectures", async (_, architectures) => {
        const ofEach = async (chart: string, name: string) => {
            const values = ["--set-json", `global.architectures=${JSON.stringify(architectures)}`];
            return workloads(await workspace("helm4").render(chart, ...values))
                .map((each) => each.name)
                .filter((each) => each.startsWith(`${name}-`));
        };

        expect(await ofEach("gitops", "runner")).toEqual(architectures.map((each) => `runner-${each}`));
        expect(await ofEach("tdarr", "node")).toEqual(architectures.map((each) => `node-${each}`));
    });

    test("every chart renders for a home with one architecture", async () => {
        await inParallel(charts, async (chart) => {
            const objects = await workspace("helm4").render(chart, "--set-json", 'global.architectures=["arm64"]');

            expect(workloads(objects).length + Number(chart === "cert-manager")).toBeGreaterThan(0);
        });
    }, 60_000);

    describe("a home without an NFS export", () => {
        const withoutExport = ["--set-json", "global.nfs=false"];

        test("keeps every claim on a node's disk, mounted by one node", async () => {
            await inParallel(["database", "immich", "monitoring", "paperless"], async (chart) => {
                const claims = ofKind(
                    await workspace("helm4").render(chart, ...withoutExport),
                    "PersistentVolumeClaim",
                );

                expect(claims.length).toBeGreaterThan(0);
                for (const { spec } of claims) {
                    expect(spec).toMatchObject({ storageClassName: "local-path", accessModes: ["ReadWriteOnce"] });
                }
            });
        });

        test.each(helms)(
            "stores the database's dumps with its data, and has no claim that stays Pending (%s)",
            async (helm) => {
                const objects = await workspace(helm).render("database", ...withoutExport);
                const { volumes, containers: [dump] = [] } =
                    workloads(objects).find(({ name }) => name === "dump")?.template.spec ?? {};

                expect(ofKind(objects, "PersistentVolumeClaim").map(({ metadata }) => metadata.name)).toEqual([
                    "postgres-data",
                ]);
                expect(volumes).toContainEqual({
                    name: "dumps",
                    persistentVolumeClaim: { claimName: "postgres-data" },
                });
                expect(dump?.volumeMounts).toContainEqual({ name: "dumps", mountPath: "/dumps", subPath: "dumps" });
            },
        );

        test("reports a service that shares media", async () => {
            await expect(workspace("helm4").render("jellyfin", ...withoutExport)).rejects.toThrow(
                "workloads.jellyfin.volumes.data is on the export with media, and the home has none; set hearth:nfs",
            );
        });
    });

    test("ignores settings for an architecture that the home does not have", async () => {
        const values = ["--set", "workloads.node-arm64.enabled=false", "--set-json", 'global.architectures=["amd64"]'];
        const names = workloads(await workspace("helm4").render("tdarr", ...values)).map(({ name }) => name);

        expect(names.sort()).toEqual(["node-amd64", "tdarr"]);
    });

    test.each([
        ["waits for a certificate of the internal CA, since it reads authorities once", "internal-ca", undefined],
        ["does not wait for one from elsewhere, which has no authority in it", "letsencrypt", true],
    ])("Gatus %s", async (_, issuer, optional) => {
        const objects = await workspace("helm4").render("gatus", "--set", `global.clusterIssuer=${issuer}`);
        const volumes = workloads(objects).flatMap(({ template }) => template.spec?.volumes ?? []);

        expect(volumes.find(({ name }) => name === "home-ca")?.secret?.optional).toBe(optional);
    });

    test("only images built in the home are pulled with a login", async () => {
        const image = "workloads.ntfy.image.repository=git.home.arpa/family/ntfy";
        const [own] = workloads(await workspace("helm4").render("ntfy", "--set", image));
        const [other] = workloads(await workspace("helm4").render("ntfy"));

        expect(own?.template.spec?.imagePullSecrets).toEqual([{ name: "registry" }]);
        expect(other?.template.spec?.imagePullSecrets).toBeUndefined();
    });

    test.each([
        ["mullvad", 51820],
        ["ivpn", 58237],
        ["windscribe", 1194],
    ])("nothing leaves qBittorrent's pod except its tunnel to %s", async (provider, port) => {
        const objects = await workspace("helm4").render("qbittorrent", "--set", `vpn.provider=${provider}`);
        const policy = ofKind(objects, "NetworkPolicy").find(({ metadata }) => metadata.name === "qbittorrent");

        expect(policy?.spec?.egress?.map(({ ports }) => ports)).toEqual([[{ port, protocol: "UDP" }]]);
    });

    test("Lidarr needs only a tag and a port", async () => {
        const objects = await workspace("helm4").render("arr", ...exampleOf("arr"));

        expect(objects.filter(({ metadata }) => metadata.name === "lidarr").map(({ kind }) => kind)).toEqual([
            "NetworkPolicy",
            "ServiceAccount",
            "Service",
            "Deployment",
            "Ingress",
        ]);
    });

    test("a changed ConfigMap restarts only its own pods", async () => {
        const before = workloads(await workspace("helm3").render("database"));
        const after = workloads(await workspace("helm3").render("database", "--set", "keepDumps=3"));
        const changed = after.filter(({ name, template }) => {
            const old = before.find((each) => each.name === name);
            return JSON.stringify(old?.template) !== JSON.stringify(template);
        });

        expect(changed.map(({ name }) => name)).toEqual(["dump"]);
    });

    test("a changed Job gets another name", async () => {
        const name = async (...values: string[]) =>
            ofKind(await workspace("helm3").render("database", ...values), "Job").map(({ metadata }) => metadata.name);

        expect(await name("--set", "keepDumps=3")).toEqual(await name());
        expect(await name("--set-json", "databases.nextcloud={}")).not.toEqual(await name());
    });

    test("Renovate's first run gives every image a digest, and the charts render with it", async () => {
        const { customManagers } = JSON.parse(readFileSync(join(__dirname, "../../renovate.json"), "utf8")) as {
            customManagers: { matchStrings: string[]; autoReplaceStringTemplate?: string }[];
        };
        const manager = customManagers.find(({ autoReplaceStringTemplate }) => autoReplaceStringTemplate !== undefined);
        const digest = `sha256:${"0".repeat(64)}`;
        const pinned = new Workspace("helm4");
        try {
            await inParallel(charts, async (chart) => {
                const text = readFileSync(join(chartsDirectory, chart, "values.yaml"), "utf8");
                const withDigests = text.replaceAll(new RegExp(manager?.matchStrings[0] ?? "", "g"), (...match) => {
                    const { depName, indentation, currentValue } = match.at(-1) as Record<string, string>;
                    const values: Record<string, string | undefined> = { depName, indentation, newValue: currentValue };
                    return (manager?.autoReplaceStringTemplate ?? "")
                        .replace("{{#if newDigest}}@{{{newDigest}}}{{/if}}", `@${digest}`)
                        .replaceAll(/\{\{\{(\w+)\}\}\}/g, (_, name: string) => values[name] ?? "");
                });
                pinned.write(`${chart}/values.yaml`, withDigests);
                const objects = await pinned.render(chart);

                for (const { container } of containers(objects)) {
                    expect(container.image).toMatch(/^[^@]+:[^@]+@sha256:0{64}$/);
                }
                for (const { metadata } of objects) {
                    expect(metadata.labels?.["app.kubernetes.io/version"] ?? "").toMatch(/^[\w.-]*$/);
                }
            });
        } finally {
            pinned.remove();
        }
    }, 60_000);

    test("every example states its purpose", () => {
        for (const file of readdirSync(examplesDirectory)) {
            expect(readFileSync(join(examplesDirectory, file), "utf8")).toMatch(/^# /);
        }
    });
});

describe.each(helms)("%s: {{ }} in values", (helm) => {
    const rendered = templates.flatMap(([text, value]) => (value === undefined ? [] : [{ text, value }]));
    const refused = templates.flatMap(([text, value]) => (value === undefined ? [text] : []));
    const render = (env: object) =>
        workspace(helm).render("paperless", "--set-json", `workloads=${JSON.stringify({ paperless: { env } })}`);

    test("is rendered where Helm understands it", async () => {
        const objects = await render(Object.fromEntries(rendered.map(({ text }, index) => [`X${index}`, text])));
        const variables = containers(objects).flatMap(({ container: { env = [] } }) => env);
        expect(variables).toEqual(
            expect.arrayContaining(rendered.map(({ value }, index) => ({ name: `X${index}`, value }))),
        );
    });

    test("is rejected where it belongs to the application, with the form to write", async () => {
        await inParallel(refused, async (text) => {
            const said = expect.stringContaining("is not a Helm template; for the application, write {{ `");
            await expect(render({ X: text })).rejects.toMatchObject({ stderr: said });
        });
    }, 60_000);
});
