import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { BlockList } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { stringify } from "yaml";
import { tool } from "../../toolchain/tools";
import { expectGolden, goldenTest } from "./golden";
import { type Manifest, ofKind, workloads } from "./manifest";
import { renderSystem } from "./system";
import { charts, exampleOf, inParallel, Workspace } from "./workspace";

/** One connection that the NetworkPolicies allow. */
interface Connection {
    readonly from: string;
    readonly to: string;
    /** Protocols and ports. */
    readonly ports: string;
}

/** A pod outside the charts, with the labels of Kubernetes and Argo CD. */
const pod = (namespace: string, name: string, label: string, port: number) => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace, name, labels: { [label]: name } },
    spec: { containers: [{ name, image: name, ports: [{ containerPort: port }] }] },
});

/** Relevant pods outside the charts; `stranger` is an undeclared pod. */
const others = [
    pod("kube-system", "traefik", "app.kubernetes.io/name", 8000),
    pod("kube-system", "kube-dns", "k8s-app", 53),
    pod("argocd", "argocd-server", "app.kubernetes.io/name", 8080),
    pod("stranger", "stranger", "app", 8080),
    pod("argocd", "stranger", "app", 8080),
];

/** Peers that the charts' policies ignore: traffic among them is not tested. */
const outside = new Set([
    ...["Internet", "home network", "shared address space", "link-local"],
    ...others.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`),
]);

/** The networks that are not the Internet. An address of a rule divides them, so the evaluator reports parts of them. */
const networks: readonly (readonly [name: string, range: string, prefix: number])[] = [
    ["home network", "10.0.0.0", 8],
    ["home network", "172.16.0.0", 12],
    ["home network", "192.168.0.0", 16],
    ["shared address space", "100.64.0.0", 10],
    ["link-local", "169.254.0.0", 16],
];

/** The network of an address, if it is not of the Internet. */
const networkOf = (address: string) =>
    networks.find(([, range, prefix]) => {
        const list = new BlockList();
        list.addSubnet(range, prefix);
        return list.check(address);
    })?.[0];

/** A workload's name, or the name of the network that a range of addresses is part of. */
function nameOf(end: string): string {
    const [first = ""] = end.split("-");
    if (!/^[\d.]+$/.test(first)) {
        return end
            .replace(/\[\w+\]$/, "")
            .replace(/^(\w+)\/roles-\w+/, "$1/roles")
            .replace(/\/layout-\w+/, "/layout");
    }
    return networkOf(first) ?? "Internet";
}

/** The evaluator does not support IPv6: IPv6 blocks are removed, and IPv4 blocks represent both. */
function withoutIpv6(manifest: Manifest): Manifest {
    return JSON.parse(JSON.stringify(manifest), (_key, value) =>
        Array.isArray(value) ? value.filter((each) => !String(each?.ipBlock?.cidr ?? "").includes(":")) : value,
    );
}

/** Namespaces of the system; connections in them have a separate test. */
const system = /^(argocd|cert-manager|kube-system|metallb-system)\//;

const isSystem = (end: string) => system.test(end) && !outside.has(end);

/**
 * Reports whether an object of the system is tested: no policy applies to the nodes' network, an object without pods is
 * unreachable, and Argo CD's server is tested with the others.
 */
function isLookedAt(manifest: Manifest): boolean {
    const [workload] = workloads([manifest]);
    const { replicas } = ofKind([manifest], "Deployment")[0]?.spec ?? {};
    return (
        manifest.kind !== "CustomResourceDefinition" &&
        !workload?.template.spec?.hostNetwork &&
        replicas !== 0 &&
        manifest.metadata.name !== "argocd-server"
    );
}

/** Every connection that the policies of objects allow, by the evaluator of NetworkPolicies. */
async function openConnections(manifests: readonly unknown[]): Promise<Connection[]> {
    const directory = mkdtempSync(join(tmpdir(), "hearth-connections-"));
    try {
        // The evaluator reads YAML 1.1, where an unquoted `no` in a command is not a string.
        const documents = manifests.map((each) => stringify(each, { version: "1.1" }));
        writeFileSync(join(directory, "all.yaml"), documents.join("---\n"));
        const args = ["list", "--dirpath", directory, "--quiet"];
        const { stdout, stderr } = await promisify(execFile)(tool("netpolicy"), args);
        // Connections that it cannot parse would be missing silently.
        expect(stderr).toBe("");
        const lines = stdout
            .trim()
            .split("\n")
            .map((line) => {
                const [, from = "", to = "", ports = ""] = /^(\S+) => (\S+) : (.*)$/.exec(line) ?? [];
                return JSON.stringify({ from: nameOf(from), to: nameOf(to), ports });
            });
        return [...new Set(lines)].sort().map((line) => JSON.parse(line));
    } finally {
        rmSync(directory, { recursive: true });
    }
}

let workspace: Workspace;
let connections: Connection[];
let ofSystem: Connection[];

beforeAll(async () => {
    workspace = new Workspace("helm4");
    const manifests: unknown[] = [...others];
    await inParallel(charts, async (chart) => {
        manifests.push(...(await workspace.render(chart, ...exampleOf(chart))).map(withoutIpv6));
    });
    manifests.push(...(await renderSystem()).filter(isLookedAt));
    const all = await openConnections(manifests);
    const isOutside = (end: string) => outside.has(end) || system.test(end);
    connections = all.filter(({ from, to }) => ![from, to].every(isOutside) && !isSystem(from) && !isSystem(to));
    ofSystem = all.filter(({ to }) => isSystem(to));
}, 300_000);

afterAll(() => workspace.remove());

/** Peers that a pod reaches, with the ports. */
const reachedBy = (from: string) =>
    connections.filter((each) => each.from === from).map(({ to, ports }) => [to, ports]);

test(goldenTest("the network policies leave open the connections of golden/connections.txt, and no others"), () => {
    expectGolden(
        "connections.txt",
        connections.map(({ from, to, ports }) => `${from} => ${to} : ${ports}`),
    );
});

test("a runner's job reaches Gitea, the lists of nodes and the Internet, but not the API server or the home network", () => {
    for (const runner of ["gitops/runner-amd64", "gitops/runner-arm64"]) {
        expect(reachedBy(runner)).toEqual([
            ["Internet", "TCP 80,443"],
            ["gitops/gitea", "TCP 3000"],
            // Off by default, and read-only: `placement` of charts/gitops.
            ["gitops/placement", "TCP 8001"],
            ["kube-system/kube-dns", "TCP 53,UDP 53"],
        ]);
    }
});

test("an undeclared pod reaches no service except the object store, which requires a key", () => {
    expect(reachedBy("stranger/stranger")).toEqual([["garage/garage", "TCP 3900"]]);
});

test("only published ports are reachable from outside the cluster without the ingress", () => {
    expect(reachedBy("Internet")).toEqual([
        ["adguard/adguard", "TCP 5353,UDP 5353"],
        ["pangolin/gerbil", "TCP 9080,9443,UDP 21820,51820"],
        ["syncthing/syncthing", "TCP 22000,UDP 22000"],
    ]);
});

test("`public: true` opens only the service's own port to the edge, and nothing is open without it", async () => {
    const edge = await workspace.render("pangolin", ...exampleOf("pangolin"));
    const withJellyfin = async (ingress: object) => {
        const values = ["--set-json", `workloads=${JSON.stringify({ jellyfin: { ingress } })}`];
        const objects = [...edge, ...(await workspace.render("jellyfin", ...values))];
        const all = await openConnections([...others, ...objects.map(withoutIpv6)]);
        return all.filter(({ from, to }) => to.startsWith("jellyfin/") && !/^(jellyfin|kube-system)\//.test(from));
    };

    expect(await withJellyfin({})).toEqual([]);
    expect(await withJellyfin({ public: true })).toEqual([
        { from: "pangolin/gerbil", to: "jellyfin/jellyfin", ports: "TCP 8096" },
    ]);
}, 60_000);

test("qBittorrent reaches the Internet only through its tunnel, here to Windscribe", () => {
    expect(reachedBy("qbittorrent/qbittorrent")).toEqual([["Internet", "UDP 1194"]]);
});

test("an undeclared pod reaches only metrics, webhooks and pods that serve nothing", () => {
    const reached = ofSystem.filter(({ from }) => from === "stranger/stranger").map(({ to, ports }) => [to, ports]);
    expect(reached).toEqual([
        ["argocd/argocd-application-controller", "TCP 8082"],
        ["argocd/argocd-repo-server", "TCP 8084"],
        ["cert-manager/cert-manager", "TCP 9402-9403"],
        ["cert-manager/cert-manager-cainjector", "TCP 9402"],
        // A Job and a CronJob, which do not serve anything.
        ["cert-manager/cert-manager-startupapicheck", "All Connections"],
        ["cert-manager/cert-manager-webhook", "TCP 6080,9402,10250"],
        ["kube-system/descheduler", "All Connections"],
        ["metallb-system/metallb-controller", "TCP 9120,9443"],
    ]);
});

test("Argo CD's repo server and Redis answer only Argo CD's own programs; others reach metrics at most", () => {
    // 8084 is the repo server's metrics, which name no secret.
    const whoReaches = (to: string) =>
        ofSystem.filter((each) => each.to === to && each.ports !== "TCP 8084").map(({ from, ports }) => [from, ports]);
    expect(whoReaches("argocd/argocd-repo-server")).toEqual([
        ["argocd/argocd-application-controller", "TCP 8081,8084"],
    ]);
    expect(whoReaches("argocd/argocd-redis")).toEqual([
        ["argocd/argocd-application-controller", "TCP 6379"],
        ["argocd/argocd-repo-server", "TCP 6379"],
    ]);
});
