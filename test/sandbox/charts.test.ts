import { readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { podSecurity, readApplications } from "../../components/applications";
import { podSecurityLabel } from "../../components/pod-security";
import { run } from "../../lib/run";
import { startSandbox } from "../../sandbox/sandbox";
import { tool } from "../../toolchain/tools";
import { workloads } from "../charts/manifest";
import { charts, exampleOf, inParallel, parseManifests, Workspace } from "../charts/workspace";
import { Home, type Outcome } from "./home";

/** Milliseconds for a control plane and its requests. */
const limit = 5 * 60_000;

/** Releases whose definitions the home's charts use. */
const definedBy = ["cert-manager", "argo-cd", "metallb"];

/** Both renderings of a chart: Helm arguments by description. */
const ways: Readonly<Record<string, (chart: string) => string[]>> = { defaults: () => [], "real use": exampleOf };

let home: Home;
let workspace: Workspace;

/** The API server's answers, by chart and rendering. */
const answers = new Map<string, Outcome>();

/** Result of applying manifests, as Helm or JSON.stringify wrote them. */
async function apply(name: string, text: string, ...options: string[]): Promise<Outcome> {
    const file = `.sandbox/${name.replaceAll(" ", "-")}.yaml`;
    home.write(file, text);
    return home.kubectl("apply", "--server-side", `--filename=${join(home.root, file)}`, ...options);
}

/** Applies the tests' own objects. */
async function prepare(name: string, text: string, ...options: string[]): Promise<void> {
    const { code, output } = await apply(name, text, ...options);
    if (code !== 0) {
        throw new Error(`${name}: ${output}`);
    }
}

/** Objects of an upstream chart, as the sandbox's chart repository packages it. */
async function upstream(chart: string, ...options: string[]): Promise<string> {
    const directory = join(home.root, ".sandbox/charts");
    const archive = readdirSync(directory).find((file) => file.startsWith(`${chart}-`) && file.endsWith(".tgz"));
    const { exitCode, output } = await run(tool("helm4"), [
        "template",
        chart,
        join(directory, archive ?? `${chart}.tgz`),
        ...options,
    ]);
    if (exitCode !== 0) {
        throw new Error(`${chart}: ${output}`);
    }
    return output;
}

/** Objects as a list for kubectl. */
const list = (items: readonly object[]) => JSON.stringify({ apiVersion: "v1", kind: "List", items });

/** A namespace that enforces a Pod Security level, and warns of workloads whose pods it would reject. */
const namespace = (name: string, level: string) => ({
    apiVersion: "v1",
    kind: "Namespace",
    metadata: {
        name,
        labels: { [podSecurityLabel]: level, "pod-security.kubernetes.io/warn": level },
    },
});

beforeAll(async () => {
    home = await Home.create();
    workspace = new Workspace("helm4");
    await startSandbox(home.root);

    const services = readApplications(home.root, "home");
    await prepare(
        "namespaces",
        list([
            namespace("argocd", "restricted"),
            ...services.map((service) => namespace(service.namespace, podSecurity(service))),
        ]),
    );
    const rendered = await Promise.all(definedBy.map((chart) => upstream(chart, "--set=crds.enabled=true")));
    const definitions = rendered.flatMap(parseManifests).filter(({ kind }) => kind === "CustomResourceDefinition");
    await prepare("definitions", list(definitions));
    const { code, output } = await home.kubectl(
        "wait",
        "--for=condition=Established",
        "--timeout=60s",
        "customresourcedefinitions",
        "--all",
    );
    expect({ code, output }).toHaveEndedWith(0);
}, limit);

afterAll(async () => {
    workspace.remove();
    await home.remove();
}, limit);

describe("the real API server", () => {
    beforeAll(async () => {
        const all = charts.flatMap((chart) => Object.entries(ways).map(([way, values]) => ({ chart, way, values })));
        await inParallel(all, async ({ chart, way, values }) => {
            const text = await workspace.template(chart, ...values(chart));
            answers.set(`${chart} ${way}`, await apply(`${chart} ${way}`, text, "--dry-run=server"));
        });
    }, limit);

    test.each(charts.flatMap((chart) => Object.keys(ways).map((way) => [chart, way])))(
        "accepts %s (%s) under its namespace's Pod Security level, without a warning",
        (chart, way) => {
            const { code, output } = answers.get(`${chart} ${way}`) ?? { code: null, output: "not asked" };

            expect({ code, output }).toHaveEndedWith(0);
            expect(output.split("\n").filter((line) => line.startsWith("Warning:"))).toEqual([]);
            expect(output).toMatch(/serverside-applied \(server dry run\)/);
        },
    );
});

test(
    "a service without a volume can get one: Argo CD's next sync is accepted",
    async () => {
        const asArgoCD = ["--field-manager=argocd-controller", "--force-conflicts"];
        const volume = ["--set-json", 'workloads.searxng.volumes.data={"claim":{"size":"1Gi"},"mount":"/data"}'];
        await prepare("searxng before", await workspace.template("searxng"), ...asArgoCD);
        const { code, output } = await apply(
            "searxng after",
            await workspace.template("searxng", ...volume),
            ...asArgoCD,
        );

        expect({ code, output }).toHaveEndedWith(0);
        expect(output).toMatch(/deployment.apps\/searxng serverside-applied/);
    },
    limit,
);

describe("invalid charts", () => {
    const podSpec = (container: object) => ({
        containers: [{ name: "planted", image: "example.com/planted:1", ...container }],
    });
    const deployment = (spec: object) => ({
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: { name: "planted", namespace: "glance" },
        spec: {
            selector: { matchLabels: { app: "planted" } },
            template: { metadata: { labels: { app: "planted" } }, spec },
        },
    });

    test("a workload with a privileged container is reported in a restricted namespace", async () => {
        const spec = podSpec({ securityContext: { privileged: true } });
        const { output } = await apply("planted", JSON.stringify(deployment(spec)), "--dry-run=server");

        expect(output).toMatch(/^Warning: would violate PodSecurity "restricted:latest": privileged/m);
    });

    test("its pod is rejected", async () => {
        const pod = {
            apiVersion: "v1",
            kind: "Pod",
            metadata: { name: "planted", namespace: "glance" },
            spec: podSpec({ securityContext: { privileged: true } }),
        };
        const { code, output } = await apply("planted", JSON.stringify(pod), "--dry-run=server");

        expect(output).toMatch(/is forbidden: violates PodSecurity "restricted:latest": privileged/);
        expect(code).not.toBe(0);
    });

    test("a field that Kubernetes does not know is rejected", async () => {
        const text = JSON.stringify(deployment(podSpec({ imagee: "" })));
        const { code, output } = await apply("planted", text, "--dry-run=server");

        expect(output).toMatch(/containers.*imagee: field not declared in schema/);
        expect(code).not.toBe(0);
    });
});

describe("the real scheduler", () => {
    /** Workloads whose images exist, or are used, for only one architecture. */
    const only: Readonly<Record<string, string>> = {
        "runner-amd64": "amd64",
        "runner-arm64": "arm64",
        "node-amd64": "amd64",
        "node-arm64": "arm64",
        "machine-learning": "amd64",
    };
    const selector = `app.kubernetes.io/name in (${Object.keys(only).join(",")})`;

    interface Node {
        readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
    }

    interface Pod {
        readonly metadata: { readonly labels: Readonly<Record<string, string>>; readonly deletionTimestamp?: string };
        readonly spec: { readonly nodeName?: string };
        readonly status: { readonly conditions?: readonly { readonly reason?: string }[] };
    }

    const workloadOf = ({ metadata }: Pod) => metadata.labels["app.kubernetes.io/name"] ?? "";
    const isUnschedulable = ({ status }: Pod) =>
        status.conditions?.some(({ reason }) => reason === "Unschedulable") ?? false;

    /** Architecture by name of node. */
    const architectures = new Map<string, string>();

    async function must(...args: string[]): Promise<void> {
        const { code, output } = await home.kubectl(...args);
        expect({ code, output }).toHaveEndedWith(0);
    }

    /** One pod for each of the workloads, once the scheduler has decided about all of them. */
    async function decided(): Promise<Pod[]> {
        for (const deadline = Date.now() + 60_000; ; await delay(250)) {
            const { items } = await home.get<{ items: Pod[] }>("pods", "--all-namespaces", `--selector=${selector}`);
            const pods = items.filter(({ metadata }) => !metadata.deletionTimestamp);
            const all = new Set(pods.map(workloadOf)).size === Object.keys(only).length;
            if (all && pods.every((pod) => pod.spec.nodeName || isUnschedulable(pod))) {
                return pods;
            }
            if (Date.now() > deadline) {
                throw new Error(`the scheduler has not decided in a minute: ${JSON.stringify(pods, undefined, 2)}`);
            }
        }
    }

    /** The architecture of the node on which each workload's pod is, or "none". */
    const placed = (pods: readonly Pod[]) =>
        Object.fromEntries(pods.map((pod) => [workloadOf(pod), architectures.get(pod.spec.nodeName ?? "") ?? "none"]));

    beforeAll(async () => {
        const { items } = await home.get<{ items: Node[] }>("nodes");
        for (const { metadata } of items) {
            architectures.set(metadata.name, metadata.labels["kubernetes.io/arch"] ?? "");
        }
        await prepare("nfs", await upstream("csi-driver-nfs", "--namespace=kube-system"), "--namespace=kube-system");
        await prepare(
            "classes",
            list([
                ...["infrastructure", "platform", "apps"].map((name) => ({
                    apiVersion: "scheduling.k8s.io/v1",
                    kind: "PriorityClass",
                    metadata: { name },
                    value: 1,
                })),
                ...["nfs", "media"].map((name) => ({
                    apiVersion: "storage.k8s.io/v1",
                    kind: "StorageClass",
                    metadata: { name },
                    provisioner: "nfs.csi.k8s.io",
                    parameters: { server: "nas.home.arpa", share: "/export" },
                })),
            ]),
        );
        const rendered = await Promise.all([
            workspace.template("gitops"),
            workspace.template("tdarr"),
            workspace.template("immich", ...exampleOf("immich")),
        ]);
        await prepare("single-architecture", rendered.join("---\n"));
    }, limit);

    test("knows two nodes of each architecture", () => {
        expect([...architectures.values()].sort()).toEqual(["amd64", "amd64", "arm64", "arm64"]);
    });

    test(
        "every workload for a single architecture is covered by the next test",
        async () => {
            const found: string[] = [];
            await inParallel(charts, async (chart) => {
                for (const { name, template } of workloads(await workspace.render(chart))) {
                    const terms =
                        template.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
                            ?.nodeSelectorTerms;
                    if (terms?.[0]?.matchExpressions?.[0]?.values?.length === 1) {
                        found.push(name);
                    }
                }
            });

            expect(Object.keys(only)).toEqual(expect.arrayContaining(found));
        },
        limit,
    );

    test(
        "places their pods on nodes of their architecture",
        async () => {
            expect(placed(await decided())).toEqual(only);
        },
        limit,
    );

    test.each(["amd64", "arm64"])(
        "keeps them Pending when no node of %s takes pods",
        async (architecture) => {
            await must("cordon", `--selector=kubernetes.io/arch=${architecture}`);
            await must("delete", "pods", "--all-namespaces", `--selector=${selector}`);
            const waiting = Object.entries(only).map(([name, its]) => [name, its === architecture ? "none" : its]);
            expect(placed(await decided())).toEqual(Object.fromEntries(waiting));

            await must("uncordon", `--selector=kubernetes.io/arch=${architecture}`);
            await must("delete", "pods", "--all-namespaces", `--selector=${selector}`);
            expect(placed(await decided())).toEqual(only);
        },
        limit,
    );
});
