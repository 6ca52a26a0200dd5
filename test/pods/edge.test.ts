import { execFileSync } from "node:child_process";
import { run } from "../../lib/run";
import { testTools, toolVersion } from "../../toolchain/tools";
import { MachineHome } from "../provision/home";
import { Network } from "../provision/machines/network";
import type { Machine } from "../provision/machines/nspawn";
import { until } from "../sandbox/home";
import { address as imageServer } from "./addresses";
import { busybox, kubectlOf, printed } from "./pods";
import { registries, type Surroundings, serve } from "./surroundings";

// Runs over two machines, and pods that start, on a host that may be busy.
jest.setTimeout(900_000);

const edgeAddress = "203.0.113.10";
/** Address of the home's router, behind which its provider lets nothing in. */
const routerAddress = "203.0.113.50";

let home: MachineHome;
let internet: Network;
let edge: Machine;
const surroundings: Surroundings[] = [];

beforeAll(async () => {
    home = await MachineHome.withPods("s1");
    internet = new Network("203.0.113");
    home.network.route(internet, routerAddress, await home.root());
    // The edge does not reach the home's registry: the Internet has another one under the same address.
    internet.hold(imageServer);
    surroundings.push(await serve(home.network), await serve(internet));
    edge = await home.createMachine("edge", internet, edgeAddress);
});

afterAll(async () => {
    for (const each of surroundings) {
        each.close();
    }
    await edge?.remove();
    await home?.remove();
    internet?.remove();
});

const kubectl = (...args: string[]) => kubectlOf(home)(...args);

const up = async () => {
    home.configure(undefined, undefined, {
        registries,
        edge: { address: edgeAddress, user: "root", hostKey: edge.hostKey },
    });
    await printed(home.stack.up());
};

/** Status and body of a page, for somebody on the Internet; a status of 000 where nothing answers. */
async function visit(address: string, limit = 60): Promise<{ status: string; body: string }> {
    const curl = ["--silent", "--max-time", `${limit}`, "--write-out", "\n%{http_code}", `http://${address}/`];
    const { output } = await run(...internet.command("curl", ...curl));
    const [status = "", ...body] = output.split("\n").reverse();
    return { status, body: body.reverse().join("\n").trim() };
}

/** Response to a pod for a URL; undefined where nothing answers. */
async function fetched(from: string, url: string): Promise<string | undefined> {
    const { exitCode, output } = await home.kubectl("exec", from, "--", "timeout", "5", "wget", "-qO-", url);
    return exitCode === 0 ? output.trim() : undefined;
}

const isServed = () =>
    until("the page is served on the Internet", 300_000, async () => (await visit(edgeAddress)).body === "the page");

/** A pod at home that serves a text on port 8080. */
const page = (name: string, text: string) => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default", labels: { name } },
    spec: {
        nodeName: "s1",
        terminationGracePeriodSeconds: 0,
        containers: [
            {
                name,
                image: busybox,
                command: [
                    "sh",
                    "-c",
                    `mkdir /tmp/www; echo ${text} > /tmp/www/index.html; exec httpd -f -p 8080 -h /tmp/www`,
                ],
            },
        ],
    },
});

/** Traefik on the edge, at the host's own port, as charts/pangolin has it there. */
const wayIn = {
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: { name: "way-in", namespace: "default" },
    spec: {
        selector: { matchLabels: { name: "way-in" } },
        template: {
            metadata: {
                labels: { name: "way-in" },
                annotations: { "kubectl.kubernetes.io/default-container": "shell" },
            },
            spec: {
                terminationGracePeriodSeconds: 0,
                nodeSelector: { "hearth/edge": "true" },
                tolerations: [{ key: "hearth/edge", operator: "Exists" }],
                containers: [
                    {
                        name: "traefik",
                        image: `rancher/mirrored-library-traefik:${toolVersion(testTools.traefik).slice(1)}`,
                        args: ["--entrypoints.web.address=:9080", "--providers.file.filename=/etc/routes/routes.yaml"],
                        ports: [{ containerPort: 9080, hostPort: 80 }],
                        volumeMounts: [{ name: "routes", mountPath: "/etc/routes" }],
                    },
                    { name: "shell", image: busybox, command: ["sleep", "infinity"] },
                ],
                volumes: [{ name: "routes", configMap: { name: "routes" } }],
            },
        },
    },
};

const routes = {
    http: {
        routers: { page: { rule: "PathPrefix(`/`)", service: "page" } },
        services: { page: { loadBalancer: { servers: [{ url: "http://page.default.svc.cluster.local" }] } } },
    },
};

const podOfEdge = () => kubectl("get", "pods", "--selector=name=way-in", "--output=jsonpath={.items[0].metadata.name}");

test("`pulumi up` makes a host on the Internet a node of the home, which only the edge's pods tolerate", async () => {
    await up();
    await kubectl("wait", "--for=condition=Ready", "nodes", "--all", "--timeout=180s");
    const live = await home.liveNodes();
    expect([...live.keys()].sort()).toEqual(["edge", "s1"]);
    expect(live.get("edge")?.spec.taints).toEqual([expect.objectContaining({ key: "hearth/edge" })]);
});

test("somebody on the Internet gets the page of a pod at home through the edge, and nothing from the home's router", async () => {
    await home.apply(page("page", "the page"));
    await home.apply({
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "page", namespace: "default" },
        spec: { selector: { name: "page" }, ports: [{ port: 80, targetPort: 8080 }] },
    });
    await home.apply({
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name: "routes", namespace: "default" },
        data: { "routes.yaml": JSON.stringify(routes) },
    });
    // As the namespace of charts/pangolin has it: the cluster's default forbids ports of the host.
    await kubectl("label", "namespace", "default", "pod-security.kubernetes.io/enforce=privileged");
    await home.apply(wayIn);
    await kubectl("rollout", "status", "daemonset/way-in", "--timeout=180s");
    await isServed();

    expect(await visit(routerAddress, 3)).toEqual({ status: "000", body: "" });
});

test("root on the edge reaches no pod at home whose policy does not name the edge's pods", async () => {
    await home.apply(page("vault", "the vault"));
    await home.apply(page("friend", "a friend"));
    await kubectl("wait", "--for=condition=Ready", "pod/vault", "pod/friend", "--timeout=120s");
    const address = await kubectl("get", "pod", "vault", "--output=jsonpath={.status.podIP}");
    const url = `http://${address}:8080`;
    const fromEdge = async () => [
        await fetched(await podOfEdge(), url),
        (await edge.run(`curl --silent --fail --max-time 5 ${url}`)).output.trim() || undefined,
    ];
    expect(await fetched(await podOfEdge(), url)).toBe("the vault");

    await home.apply({
        apiVersion: "networking.k8s.io/v1",
        kind: "NetworkPolicy",
        metadata: { name: "vault", namespace: "default" },
        spec: {
            podSelector: { matchLabels: { name: "vault" } },
            ingress: [{ from: [{ podSelector: { matchLabels: { name: "friend" } } }] }],
        },
    });
    await until("the edge is refused", 60_000, async () => (await fromEdge()).every((each) => each === undefined));
    expect(await fetched("friend", url)).toBe("the vault");
    expect(await visit(edgeAddress)).toEqual({ status: "200", body: "the page" });
});

test("while the home's line is down the edge says so, and serves the page again when it is back", async () => {
    const line = (state: "up" | "down") =>
        execFileSync("ip", ["-n", home.network.namespace, "link", "set", "wan", state]);
    line("down");
    const { status, body } = await visit(edgeAddress);
    line("up");

    // Traefik's own answer: it reaches no pod at home.
    expect([status, body]).toEqual([
        expect.stringMatching(/^50[234]$/),
        expect.stringMatching(/^(Bad Gateway|Gateway Timeout)$/),
    ]);
    await isServed();
});

test("the loss of the edge costs the way in alone, and `pulumi up` makes another host the edge", async () => {
    const uid = () => kubectl("get", "pod", "page", "--output=jsonpath={.metadata.uid}");
    const before = await uid();
    await edge.powerOff();
    expect(await visit(edgeAddress, 3)).toEqual({ status: "000", body: "" });
    expect(await fetched("friend", "http://page.default.svc.cluster.local")).toBe("the page");

    const former = edge.hostKey;
    await edge.reinstall();
    expect(edge.hostKey).not.toBe(former);
    await up();
    await isServed();
    expect(await uid()).toBe(before);
});
