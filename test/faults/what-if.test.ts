import { stringify } from "yaml";
import { capture } from "../../hack/capture";
import { Kubectl } from "../../hack/kubectl";
import { type Answer, askNodes } from "../../hack/placement/answer";
import { ControlPlane } from "../../hack/placement/control-plane";
import { type Claim, controllerOf, type Pod, readHome, type Workload } from "../../hack/placement/home";
import { Model } from "../../hack/placement/model";
import { tool } from "../../toolchain/tools";
import { generateHome } from "./generated-home";

/** A minute or so each, on two cores. */
const limit = 600_000;

interface List<T> {
    readonly items: readonly T[];
}

type LivePod = Pod & {
    readonly status?: {
        readonly phase?: string;
        readonly nominatedNodeName?: string;
        readonly conditions?: readonly { readonly reason?: string }[];
    };
};

const isUnschedulable = ({ spec, status }: LivePod) =>
    spec.nodeName === undefined &&
    status?.nominatedNodeName === undefined &&
    (status?.conditions?.some(({ reason }) => reason === "Unschedulable") ?? false);

const isReady = '{ type: Ready, status: "True", lastTransitionTime: {{ Now | Quote }} }';

/** Stages of kwok's kubelets: nodes, and pods that have one, are Ready at once, and pods end at once. */
const stages = [
    {
        name: "node-initialize",
        kind: "Node",
        expressions: [
            {
                key: '.status.conditions.[] | select( .type == "Ready" ) | .status',
                operator: "NotIn",
                values: ["True"],
            },
        ],
        next: { statusTemplate: `conditions: [${isReady}]` },
    },
    {
        name: "pod-ready",
        kind: "Pod",
        expressions: [
            { key: ".metadata.deletionTimestamp", operator: "DoesNotExist" },
            { key: ".status.phase", operator: "In", values: ["Pending"] },
        ],
        next: { statusTemplate: `{ phase: Running, conditions: [${isReady}] }` },
    },
    {
        name: "pod-delete",
        kind: "Pod",
        expressions: [{ key: ".metadata.deletionTimestamp", operator: "Exists" }],
        next: { delete: true },
    },
].map(({ name, kind, expressions, next }) =>
    stringify({
        apiVersion: "kwok.x-k8s.io/v1alpha1",
        kind: "Stage",
        metadata: { name },
        spec: {
            resourceRef: { apiGroup: "v1", kind },
            selector: { matchExpressions: expressions },
            next,
        },
    }),
);

/** A cluster with the real controllers, whose kubelets are kwok's. */
class RealCluster {
    constructor(private readonly plane: ControlPlane) {
        plane.start(tool("kube-controller-manager"), [
            `--kubeconfig=${plane.kubeconfig}`,
            `--service-account-private-key-file=${plane.file("service-account.pem")}`,
            ...["--use-service-account-credentials=false", "--leader-elect=false", "--secure-port=0"],
            // A busy machine must not make a node NotReady.
            ...["--node-monitor-grace-period=30m", "--kube-api-qps=500", "--kube-api-burst=500"],
        ]);
        const config = plane.file("kwok.yaml", stages.join("---\n"));
        plane.start(tool("kwok"), ["--kubeconfig", plane.kubeconfig, "--manage-all-nodes", "--config", config]);
    }

    async create(manifests: readonly (readonly [string, object])[]): Promise<void> {
        for (const [path, manifest] of manifests) {
            await this.plane.call("POST", path, manifest);
        }
    }

    async #pods(): Promise<LivePod[]> {
        const { items } = await this.plane.call<List<LivePod>>("GET", "/api/v1/pods");
        return items.filter((each) => controllerOf(each).kind !== "DaemonSet");
    }

    /** Creates volumes like local-path. */
    async #provision(): Promise<void> {
        const { items } = await this.plane.call<List<Claim>>("GET", "/api/v1/persistentvolumeclaims");
        for (const { metadata, spec } of items) {
            const node = metadata.annotations?.["volume.kubernetes.io/selected-node"];
            if (node === undefined || spec.volumeName !== undefined) {
                continue;
            }
            const { namespace, name } = metadata;
            const expression = { key: "kubernetes.io/hostname", operator: "In", values: [node] };
            const volume = {
                metadata: { name: `local-${name}` },
                spec: {
                    accessModes: ["ReadWriteOnce"],
                    capacity: { storage: "1Gi" },
                    claimRef: { apiVersion: "v1", kind: "PersistentVolumeClaim", namespace, name },
                    hostPath: { path: `/disk/${name}` },
                    nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [expression] }] } },
                    storageClassName: "local-path",
                },
            };
            await this.plane.call("POST", "/api/v1/persistentvolumes", volume).catch(() => undefined);
        }
    }

    async #isSettled(): Promise<boolean> {
        await this.#provision();
        const pods = await this.#pods();
        const isSteady = (pod: LivePod) => pod.status?.phase === "Running" || isUnschedulable(pod);
        if (pods.some((pod) => pod.metadata.deletionTimestamp !== undefined || !isSteady(pod))) {
            return false;
        }
        const of = (kind: string, name: string) =>
            pods.filter((pod) => controllerOf(pod).kind === kind && controllerOf(pod).key === `apps/${name}`);
        const [deployments, sets] = await Promise.all(
            ["deployments", "statefulsets"].map((kind) =>
                this.plane.call<List<Workload>>("GET", `/apis/apps/v1/namespaces/apps/${kind}`),
            ),
        );
        const isComplete = ({ metadata: { name }, spec: { replicas = 1, podManagementPolicy } }: Workload) => {
            const created = of("StatefulSet", name);
            const ordinals = Array.from({ length: replicas }, (_, ordinal) =>
                created.find((pod) => pod.metadata.name === `${name}-${ordinal}`),
            );
            const waiting = ordinals.findIndex((pod) => pod === undefined || isUnschedulable(pod));
            return podManagementPolicy === "Parallel"
                ? created.length === replicas
                : waiting === -1 || ordinals[waiting] !== undefined;
        };
        return (
            (deployments?.items.every(
                ({ metadata, spec }) => of("Deployment", metadata.name).length === spec.replicas,
            ) ??
                false) &&
            (sets?.items.every(isComplete) ?? false)
        );
    }

    /** Running services, by their pods; pending pods are retried until no node fits them. */
    async settled(): Promise<ReadonlyMap<string, number>> {
        for (let before = ""; ; ) {
            await this.plane.until("the cluster does not settle", () => this.#isSettled());
            const pods = await this.#pods();
            const running = new Map<string, number>();
            for (const pod of pods.filter(({ spec }) => spec.nodeName !== undefined)) {
                const { key } = controllerOf(pod);
                running.set(key, (running.get(key) ?? 0) + 1);
            }
            const now = JSON.stringify([...running].sort());
            if (now === before) {
                return running;
            }
            before = now;
            for (const { metadata } of pods.filter((pod) => isUnschedulable(pod) && controllerOf(pod).kind !== "Pod")) {
                await this.plane.call("DELETE", `/api/v1/namespaces/apps/pods/${metadata.name}?gracePeriodSeconds=0`);
            }
        }
    }

    /** Removes a node like `pulumi up`. */
    async remove(node: string): Promise<void> {
        const kubectl = (...args: string[]) =>
            capture(tool("kubectl"), ["--kubeconfig", this.plane.kubeconfig, ...args], { failure: args.join(" ") });
        await kubectl("drain", node, "--force", "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=120s");
        await kubectl("delete", "node", node);
    }
}

const names = (services: Answer["stops"]) => services.map(({ service }) => service);

/** Seeds of the homes. HEARTH_HOMES=20 tries as many. */
const seeds = Array.from({ length: Number(process.env["HEARTH_HOMES"] ?? 5) }, (_, index) => index + 1);

test.each(seeds)(
    "home %i: exactly the services that are predicted to stop without a node stop when it is removed",
    async (seed) => {
        const { lost, manifests } = generateHome(seed);
        await ControlPlane.with(async (plane) => {
            const cluster = new RealCluster(plane);
            await cluster.create(manifests);
            const before = await cluster.settled();
            const home = await readHome(new Kubectl(plane.kubeconfig));

            const answer = await ControlPlane.with(async (own) =>
                askNodes(await Model.load(own, home), home, { without: [lost], add: [] }),
            );

            await cluster.remove(lost);
            const after = await cluster.settled();
            const stopped = [...before.keys()].filter((service) => !after.has(service));
            const saidToStop = names(answer.stops);
            const uncertain = names(answer.mayStop);

            process.stdout.write(
                `home ${seed} without ${lost}: ${before.size} services, ${stopped.length} stopped, ${saidToStop.length} said to ` +
                    `stop, ${uncertain.length} uncertain, ${answer.moves.length} moved\n`,
            );
            expect(stopped.filter((each) => !saidToStop.includes(each) && !uncertain.includes(each))).toEqual([]);
            expect(saidToStop.filter((each) => !stopped.includes(each))).toEqual([]);
        });
    },
    limit,
);
