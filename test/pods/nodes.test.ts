import { MachineHome, podVersions } from "../provision/home";
import { until } from "../sandbox/home";
import { busybox, kubectlOf, printed } from "./pods";
import { registries, type Surroundings, serve } from "./surroundings";

// Milliseconds for a run over all machines and for starting pods, on a busy host.
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

/** Response to a request from a pod; undefined without an answer. */
async function fetched(from: string, url: string): Promise<string | undefined> {
    const { exitCode, output } = await home.kubectl("exec", from, "--", "timeout", "5", "wget", "-qO-", url);
    return exitCode === 0 ? output.trim() : undefined;
}

test("bare hosts become nodes with the pinned release, by `pulumi up` over SSH", async () => {
    home.configure(undefined, undefined, { registries });
    await printed(home.stack.up());
    const live = await home.liveNodes();
    expect([...live.values()].map(({ status }) => status.nodeInfo.kubeletVersion)).toEqual(
        ["a1", "a2", "s1"].map(() => podVersions[0]),
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

test("a NetworkPolicy admits only its peers, on every node", async () => {
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

/** Times that the pod `keeper` has started, from its volume. */
const starts = async () =>
    (await home.kubectl("exec", "deployment/keeper", "--", "cat", "/data/starts")).output.trim().split("\n").length;

test("a volume keeps its content when its pod is recreated, and when its node loses power", async () => {
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

test("`hack/reboot` drains a node, restarts it, and ends when its kubelet is back", async () => {
    // No controller recreates these pods elsewhere, so they would block a drain.
    await kubectl("delete", "pods", "web", "client", "stranger", "--now", "--ignore-not-found");
    const bootId = () => kubectl("get", "node", "a2", "--output=jsonpath={.status.nodeInfo.bootID}");
    const before = await bootId();
    const rebooted = home.stack.hack("reboot", "a2");
    await until("a2 is off", 300_000, async () => (await home.machine("a2").run("true")).exitCode === -1);
    // systemd-nspawn ends when its machine restarts.
    home.network.detach("a2");
    await home.machine("a2").start();
    await printed(rebooted);
    expect(await bootId()).not.toBe(before);
    await until("the pod has started a fourth time", 240_000, async () => (await starts()) === 4);
});

test("a patch release of k3s reaches one node after the other, and volumes keep their content", async () => {
    home.configure(undefined, podVersions[1], { registries });
    await printed(home.stack.up());
    const live = [...(await home.liveNodes()).values()];
    expect(live.map(({ status }) => status.nodeInfo.kubeletVersion)).toEqual(
        ["a1", "a2", "s1"].map(() => podVersions[1]),
    );
    expect(live.filter(({ spec }) => spec.unschedulable)).toEqual([]);
    await until("the pod has started a fifth time", 240_000, async () => (await starts()) === 5);
});

test("hack/status names a node with a full disk, and its volumes are kept until there is space again", async () => {
    const { output: size } = await home.machine("a2").run("stat --file-system --format='%a * %S' /var/lib");
    await printed(home.machine("a2").run(`fallocate --length $((${size} - (64 << 20))) /var/lib/recordings`));
    await until("hack/status names it", 240_000, async () =>
        /First problem: Node a2 has DiskPressure \(.*\): it evicts pods and starts no others\./.test(
            (await home.stack.hack("status")).output,
        ),
    );
    const phases = () => kubectl("get", "pods", "--selector=app=keeper", "--output=jsonpath={.items[*].status.phase}");
    await until("the pod is evicted", 240_000, async () => /Failed/.test(await phases()));

    await printed(home.machine("a2").run("rm /var/lib/recordings"));
    // The kubelet waits for five minutes.
    await until("the pod has started again", 600_000, async () => (await starts()) === 6);
});

test("a host that replaces a lost node under its name gives its pods empty volumes", async () => {
    const [, , before] = home.nodes();
    await home.machine("a2").powerOff();
    await kubectl("wait", "--for=condition=Ready=Unknown", "node/a2", "--timeout=180s");
    await printed(home.stack.hack("forget-node", "a2"));
    await home.machine("a2").reinstall();
    expect(home.nodes()[2]?.hostKey).not.toBe(before?.hostKey);
    home.configure(undefined, podVersions[1], { registries });
    await printed(home.stack.up());
    await until("the pod has started once", 240_000, async () => (await starts()) === 1);
});
