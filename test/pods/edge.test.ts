import { execFileSync } from "node:child_process";
import { run } from "../../lib/run";
import { Workspace } from "../charts/workspace";
import { MachineHome, podVersion } from "../provision/home";
import { Network } from "../provision/machines/network";
import type { Machine } from "../provision/machines/nspawn";
import { until } from "../sandbox/home";
import { address as registry } from "./addresses";
import { busybox, kubectlOf, printed } from "./pods";
import { registries, type Surroundings, serve } from "./surroundings";

// A run over all machines, and pods that start, on a host that may be busy.
jest.setTimeout(900_000);

/** Address of the home's router at its provider, as everybody else sees it. */
const routerAddress = "203.0.113.50";
const edgeAddress = "203.0.113.10";
const traefik = "docker.io/rancher/mirrored-library-traefik";

let home: MachineHome;
/** Everything beyond the home's router. */
let internet: Network;
let edge: Machine;
let surroundings: Surroundings | undefined;
const workspace = new Workspace("helm4");

const kubectl = (...args: string[]) => kubectlOf(home)(...args);

const settings = () => ({
    registries,
    edge: { address: edgeAddress, user: "admin", hostKey: edge.hostKey },
});

beforeAll(async () => {
    home = await MachineHome.withPods("s1");
    internet = new Network("203.0.113");
    home.network.route(internet, routerAddress, await home.root());
    // Registries are public; the one with the images made here stands on the router.
    execFileSync("ip", ["-n", internet.namespace, "route", "add", `${registry}/32`, "via", routerAddress]);
    execFileSync("nsenter", [`--net=/run/netns/${internet.namespace}`, "sysctl", "-qw", "net.ipv4.ip_forward=1"]);
    edge = await home.createMachine("edge", internet, edgeAddress);
    surroundings = await serve(home.network);
});

afterAll(async () => {
    surroundings?.close();
    workspace.remove();
    await edge?.remove();
    await home?.remove();
    internet?.remove();
});

/** Body of a page as somebody on the Internet gets it; undefined where none is served. */
async function page(host = "jellyfin.home.arpa", at = edgeAddress): Promise<string | undefined> {
    const curl = [
        "curl",
        "--silent",
        "--fail",
        "--max-time",
        "10",
        "--header",
        `Host: ${host}`,
        `http://${at}/`,
    ] as const;
    const { exitCode, output } = await run(...internet.command(...curl));
    return exitCode === 0 ? output.trim() : undefined;
}

/** Reports whether a TCP port answers a host. */
async function answers(from: Machine, host: string, port: number): Promise<boolean> {
    const { exitCode } = await from.run(`timeout 5 bash -c ': </dev/tcp/${host}/${port}'`);
    return exitCode === 0;
}

/** Applies the NetworkPolicies of a chart, as its values make them. */
async function applyPolicies(chart: string, ...values: string[]): Promise<void> {
    const objects = await workspace.render(chart, ...values);
    for (const policy of objects.filter(({ kind }) => kind === "NetworkPolicy")) {
        await home.apply(policy);
    }
}

const publish = (isPublic: boolean) =>
    applyPolicies(
        "jellyfin",
        "--set-json",
        `workloads=${JSON.stringify({ jellyfin: { ingress: { public: isPublic } } })}`,
    );

/** A pod with the labels of a chart's workload, which its policies select. */
const pod = (namespace: string, name: string, more: object, labels: object = {}) => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
        ...{ namespace, name },
        labels: {
            "app.kubernetes.io/name": name,
            "app.kubernetes.io/instance": namespace,
            "app.kubernetes.io/part-of": namespace,
            ...labels,
        },
    },
    spec: { terminationGracePeriodSeconds: 0, ...more },
});

test("bare hosts become a home and its edge, though the home's router lets nothing in", async () => {
    home.configure(undefined, undefined, settings());
    await printed(home.stack.up());
    const live = await home.liveNodes();

    expect([...live].map(([name, { status }]) => [name, status.nodeInfo.kubeletVersion])).toEqual([
        ["edge", podVersion],
        ["s1", podVersion],
    ]);
    expect(live.get("edge")?.metadata.labels).toMatchObject({ "hearth/edge": "true" });
    expect(live.get("edge")?.spec.taints).toEqual(
        expect.arrayContaining([expect.objectContaining({ key: "hearth/edge" })]),
    );
    await kubectl("wait", "--for=condition=Ready", "nodes", "--all", "--timeout=120s");
    expect(await answers(edge, routerAddress, 22)).toBe(false);
});

test("a page at home is fetched from the Internet through the edge", async () => {
    for (const namespace of ["jellyfin", "pangolin"]) {
        await kubectl("create", "namespace", namespace);
    }
    await kubectl("label", "namespace", "pangolin", "pod-security.kubernetes.io/enforce=privileged");
    await home.apply({
        apiVersion: "v1",
        kind: "Service",
        metadata: { namespace: "jellyfin", name: "jellyfin" },
        spec: { selector: { "app.kubernetes.io/name": "jellyfin" }, ports: [{ port: 8096 }] },
    });
    const serving = "mkdir /tmp/www; echo the page at home > /tmp/www/index.html; exec httpd -f -p 8096 -h /tmp/www";
    const container = {
        name: "jellyfin",
        image: busybox,
        command: ["sh", "-c", serving],
        ports: [{ name: "http", containerPort: 8096 }],
    };
    await home.apply(
        pod("jellyfin", "jellyfin", { nodeName: "s1", containers: [container] }, { "hearth/public": "true" }),
    );
    const routes = {
        http: {
            routers: { jellyfin: { rule: "Host(`jellyfin.home.arpa`)", service: "jellyfin", entryPoints: ["web"] } },
            services: {
                jellyfin: { loadBalancer: { servers: [{ url: "http://jellyfin.jellyfin.svc.cluster.local:8096" }] } },
            },
        },
    };
    await home.apply({
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { namespace: "pangolin", name: "routes" },
        data: { "routes.yaml": JSON.stringify(routes) },
    });
    const tag = await kubectl(
        ...["get", "deployment", "traefik", "--namespace=kube-system"],
        "--output=jsonpath={.spec.template.spec.containers[0].image}",
    );
    expect(tag).toContain(traefik);
    await home.apply(
        pod("pangolin", "gerbil", {
            nodeSelector: { "hearth/edge": "true" },
            tolerations: [{ key: "hearth/edge", operator: "Exists", effect: "NoSchedule" }],
            containers: [
                {
                    name: "traefik",
                    image: tag,
                    args: ["--entrypoints.web.address=:9080", "--providers.file.directory=/etc/routes"],
                    ports: [{ name: "web", containerPort: 9080, hostPort: 80 }],
                    volumeMounts: [{ name: "routes", mountPath: "/etc/routes" }],
                },
            ],
            volumes: [{ name: "routes", configMap: { name: "routes" } }],
        }),
    );
    await applyPolicies("pangolin", "--set=global.edge=true");
    await publish(true);
    await kubectl("--namespace=jellyfin", "wait", "--for=condition=Ready", "pod/jellyfin", "--timeout=180s");
    await kubectl("--namespace=pangolin", "wait", "--for=condition=Ready", "pod/gerbil", "--timeout=180s");

    await until("the page is served", 120_000, async () => (await page()) === "the page at home");
});

test("when the chart's line goes, the page is refused, and comes back with the line", async () => {
    await publish(false);
    await until("the page is refused", 60_000, async () => (await page()) === undefined);
    await publish(true);
    await until("the page is served", 60_000, async () => (await page()) === "the page at home");
});

test("who takes the edge over reaches the API server as an agent does, and no other port of a node or of the home", async () => {
    const node = home.machine("s1").address;

    expect(await answers(edge, node, 6443)).toBe(true);
    for (const port of [22, 80, 443, 2379, 10250]) {
        expect([port, await answers(edge, node, port)]).toEqual([port, false]);
    }
    // Through the node, to what else is in the home: its router, where the registry listens.
    await edge.run(
        'ip route replace 10.77.0.1/32 dev hearth-edge; wg set hearth-edge peer "$(wg show hearth-edge peers)" allowed-ips 10.77.0.0/24',
    );
    expect(await answers(edge, "10.77.0.1", 13_002)).toBe(false);
    await edge.run("systemctl restart wg-quick@hearth-edge; ip route delete 10.77.0.1/32 dev hearth-edge");
});

test("a pod on the edge reaches no service that its policies do not name", async () => {
    const other = { name: "seerr", image: busybox, command: ["sh", "-c", "exec httpd -f -p 5055 -h /etc"] };
    await home.apply(pod("jellyfin", "seerr", { nodeName: "s1", containers: [other] }));
    await kubectl("--namespace=jellyfin", "wait", "--for=condition=Ready", "pod/seerr", "--timeout=120s");
    const target = await kubectl("--namespace=jellyfin", "get", "pod", "seerr", "--output=jsonpath={.status.podIP}");

    // From the host, with the address that pods' packets have: root there needs no pod.
    expect(await answers(edge, target, 5055)).toBe(false);
});

test("the edge holds no credential of the cluster but its own kubelet's, and its private key is root's", async () => {
    const { output } = await edge.run(
        "stat -c '%a %U' /etc/wireguard/hearth-edge.conf; cat /etc/rancher/k3s/config.yaml",
    );

    expect(output).toMatch(/^600 root$/m);
    expect(output).not.toMatch(/agent-token|server-token/);
    expect((await edge.run("ls /etc/rancher/k3s/k3s.yaml /var/lib/rancher/k3s/server")).exitCode).not.toBe(0);
});

test("without the edge the home goes on, and an edge that comes back serves again", async () => {
    await edge.powerOff();

    expect(
        await kubectl("--namespace=jellyfin", "exec", "seerr", "--", "wget", "-qO-", "http://127.0.0.1:5055/hostname"),
    ).not.toBe("");
    await printed(home.stack.up());

    await edge.start();
    await kubectl("wait", "--for=condition=Ready", "node/edge", "--timeout=180s");
    await until("the page is served", 180_000, async () => (await page()) === "the page at home");
});

test("a reinstalled edge is refused in a sentence until its new host key is in the config, and joins then", async () => {
    const before = edge.hostKey;
    await edge.reinstall();
    // Any change has the host looked at first.
    home.configure(undefined, undefined, { registries, edge: { address: edgeAddress, user: "root", hostKey: before } });
    const refused = await home.stack.up();
    expect(refused.exitCode).not.toBe(0);
    expect(refused.output).toContain("another host key than the config has");

    home.configure(undefined, undefined, settings());
    await printed(home.stack.up());
    await kubectl("wait", "--for=condition=Ready", "node/edge", "--timeout=120s");
});

test("without hearth:edge the tunnel is gone from the node, and the edge from the cluster", async () => {
    home.configure(undefined, undefined, { registries });
    await printed(home.stack.up());

    expect([...(await home.liveNodes()).keys()]).toEqual(["s1"]);
    expect((await home.machine("s1").run("ip link show hearth-edge")).exitCode).not.toBe(0);
    expect(home.machine("s1").has("/etc/wireguard/hearth-edge.conf")).toBe(false);
});
