import { MachineHome, podVersion } from "../provision/home";
import { until } from "../sandbox/home";
import { busybox, kubectlOf, printed } from "./pods";
import { registries, type Surroundings, serve } from "./surroundings";

// A run over all machines, and pods that start, on a host that may be busy.
jest.setTimeout(900_000);

let home: MachineHome;
let surroundings: Surroundings | undefined;

beforeAll(async () => {
    home = await MachineHome.withPods("s1", "a1", "a2");
    surroundings = await serve(home.network);
});

afterAll(async () => {
    surroundings?.close();
    await home?.remove();
});

const kubectl = (...args: string[]) => kubectlOf(home)(...args);

/** A pod on a node, as `kubectl run` would make it; without a command it serves its own name on port 8080. */
async function run(name: string, node: string, more: { labels?: string; command?: string } = {}): Promise<void> {
    const command =
        more.command ?? `mkdir /tmp/www; echo ${name} > /tmp/www/index.html; exec httpd -f -p 8080 -h /tmp/www`;
    await kubectl(
        ...["run", name, `--image=${busybox}`, `--labels=name=${name}${more.labels ? `,${more.labels}` : ""}`],
        `--overrides=${JSON.stringify({ spec: { nodeName: node, terminationGracePeriodSeconds: 0 } })}`,
        ...["--", "sh", "-c", command],
    );
    await kubectl("wait", "--for=condition=Ready", `pod/${name}`, "--timeout=120s");
}

/** Response to a pod for a URL; undefined where nothing answers. */
async function fetched(from: string, url: string): Promise<string | undefined> {
    const { exitCode, output } = await home.kubectl("exec", from, "--", "timeout", "5", "wget", "-qO-", url);
    return exitCode === 0 ? output.trim() : undefined;
}

test("bare machines become nodes of the release, by `pulumi up` over SSH", async () => {
    home.configure(undefined, undefined, { registries });
    await printed(home.stack.up());
    const live = await home.liveNodes();
    expect([...live.values()].map(({ status }) => status.nodeInfo.kubeletVersion)).toEqual(
        ["a1", "a2", "s1"].map(() => podVersion),
    );
    await kubectl("wait", "--for=condition=Ready", "nodes", "--all", "--timeout=120s");
});

test("CoreDNS, the local-path provisioner and Traefik run, from images of the mirror", async () => {
    await kubectl(
        "--namespace=kube-system",
        "wait",
        "--for=condition=Available",
        "deployments",
        "--all",
        "--timeout=240s",
    );
});

test("pods reach each other across nodes, by address and by the name of a Service", async () => {
    await Promise.all([run("web", "a1"), run("client", "a2", { command: "sleep infinity", labels: "friend=yes" })]);
    await run("stranger", "s1", { command: "sleep infinity" });
    await kubectl("expose", "pod", "web", "--port=80", "--target-port=8080");
    const address = await kubectl("get", "pod", "web", "--output=jsonpath={.status.podIP}");
    expect(await fetched("client", `http://${address}:8080`)).toBe("web");
    expect(await fetched("client", "http://web.default.svc.cluster.local")).toBe("web");
    expect(await fetched("stranger", "http://web.default.svc.cluster.local")).toBe("web");
});

test("a NetworkPolicy lets in whom it names, on whatever node, and nobody else", async () => {
    const policy = {
        apiVersion: "networking.k8s.io/v1",
        kind: "NetworkPolicy",
        metadata: { name: "web", namespace: "default" },
        spec: {
            podSelector: { matchLabels: { name: "web" } },
            ingress: [{ from: [{ podSelector: { matchLabels: { friend: "yes" } } }], ports: [{ port: 8080 }] }],
        },
    };
    await home.apply(policy);
    await until("the stranger is refused", 60_000, async () => (await fetched("stranger", "http://web")) === undefined);
    expect(await fetched("client", "http://web")).toBe("web");
});

/** Times that the pod `keeper` has started, as its volume has them. */
const starts = async () =>
    (await home.kubectl("exec", "deployment/keeper", "--", "cat", "/data/starts")).output.trim().split("\n").length;

test("a volume has its content when its pod is recreated, and when its node has lost power", async () => {
    const claim = {
        apiVersion: "v1",
        kind: "PersistentVolumeClaim",
        metadata: { name: "data", namespace: "default" },
        spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "10Mi" } } },
    };
    const keeper = {
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: { name: "keeper", namespace: "default" },
        spec: {
            strategy: { type: "Recreate" },
            selector: { matchLabels: { app: "keeper" } },
            template: {
                metadata: { labels: { app: "keeper" } },
                spec: {
                    terminationGracePeriodSeconds: 0,
                    securityContext: { runAsUser: 1000 },
                    nodeSelector: { "kubernetes.io/hostname": "a2" },
                    containers: [
                        {
                            name: "keeper",
                            image: busybox,
                            command: ["sh", "-c", "date >> /data/starts; sleep infinity"],
                            volumeMounts: [{ name: "data", mountPath: "/data" }],
                        },
                    ],
                    volumes: [{ name: "data", persistentVolumeClaim: { claimName: "data" } }],
                },
            },
        },
    };
    await home.apply(claim);
    await home.apply(keeper);
    await kubectl("rollout", "status", "deployment/keeper", "--timeout=180s");
    expect(await starts()).toBe(1);

    await kubectl("rollout", "restart", "deployment/keeper");
    await kubectl("rollout", "status", "deployment/keeper", "--timeout=120s");
    expect(await starts()).toBe(2);

    await home.machine("a2").powerOff();
    await home.machine("a2").start();
    await until("the pod has started a third time", 240_000, async () => (await starts()) === 3);
});

test("a machine in the place of one that is gone, under its name, gives its pods empty volumes", async () => {
    const [, , before] = home.nodes();
    await home.machine("a2").powerOff();
    await kubectl("wait", "--for=condition=Ready=Unknown", "node/a2", "--timeout=180s");
    await printed(home.stack.hack("forget-node", "a2"));
    await home.machine("a2").reinstall();
    expect(home.nodes()[2]?.hostKey).not.toBe(before?.hostKey);
    home.configure(undefined, undefined, { registries });
    await printed(home.stack.up());
    await until("the pod has started once", 240_000, async () => (await starts()) === 1);
});
