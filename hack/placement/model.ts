import { isDeepStrictEqual } from "node:util";
import { ApiError, type ControlPlane } from "./control-plane";
import { type Claim, controllerOf, type Home, keyOf, type Metadata, type Node, type Pod, type Volume } from "./home";

/** Fate of pods that were given to the scheduler. */
export interface Placement {
    /** Node of each pod that has one, by key. */
    readonly placed: ReadonlyMap<string, string>;
    /** The scheduler's message about each pod that has none. */
    readonly stuck: ReadonlyMap<string, string>;
    /** Preempted pods, by key, with the node that they were on; they are in one of the others too. */
    readonly preempted: ReadonlyMap<string, string>;
}

interface LivePod extends Pod {
    readonly status?: {
        readonly phase?: string;
        readonly nominatedNodeName?: string;
        readonly conditions?: readonly {
            readonly type: string;
            readonly status: string;
            readonly reason?: string;
            readonly message?: string;
        }[];
    };
}

interface PodList {
    readonly items: readonly LivePod[];
    readonly metadata: { readonly remainingItemCount?: number };
}

/** Milliseconds for a pod to be scheduled after preemption: the scheduler retries after a second. */
const nominationLimit = 5_000;

/** The highest priority that a user's class can have. */
const highestPriority = 1_000_000_000;

/** Label of pods that were given to the scheduler, so that they are listed alone. */
const round = "hearth/what-if";

/** Annotation by which the scheduler requests a volume from a provisioner. */
const selectedNode = "volume.kubernetes.io/selected-node";

/** Annotation of a claim whose volume is bound for good. */
const bound = { "pv.kubernetes.io/bind-completed": "yes" };

/** Provisioner of volumes on a node's own disk. */
const localPath = "rancher.io/local-path";

function metadataOf({ name, namespace, labels }: Metadata, annotations?: object) {
    return { name, ...(namespace && { namespace }), ...(labels && { labels }), ...(annotations && { annotations }) };
}

/** A node without the fields that the home's controllers assigned to it. */
function nodeObject({ metadata, spec, status }: Node) {
    return {
        metadata: metadataOf(metadata),
        spec: { taints: spec?.taints, unschedulable: spec?.unschedulable },
        status: {
            allocatable: status?.allocatable,
            capacity: status?.capacity ?? status?.allocatable,
            images: status?.images,
            nodeInfo: status?.nodeInfo,
        },
    };
}

/** A pod with the fields that the scheduler reads: no environment, no command, no Secret. */
function podObject({ metadata, spec }: Pod, nodeName?: string) {
    const container = ({ name, ports, resources, restartPolicy, image }: Pod["spec"]["containers"][number]) => ({
        name,
        image: image || "none",
        ports,
        resources: { requests: resources?.requests, limits: resources?.limits },
        restartPolicy,
    });
    return {
        metadata: metadataOf(metadata),
        spec: {
            nodeName,
            // A preempted pod is deleted at once: no kubelet reports its end.
            terminationGracePeriodSeconds: 0,
            affinity: spec.affinity,
            containers: spec.containers.map(container),
            hostNetwork: spec.hostNetwork,
            initContainers: spec.initContainers?.map(container),
            nodeSelector: spec.nodeSelector,
            overhead: spec.overhead,
            preemptionPolicy: spec.preemptionPolicy,
            priority: spec.priority,
            resources: spec.resources,
            schedulingGates: nodeName === undefined ? spec.schedulingGates : undefined,
            tolerations: spec.tolerations,
            topologySpreadConstraints: spec.topologySpreadConstraints,
            volumes: spec.volumes?.filter(({ persistentVolumeClaim }) => persistentVolumeClaim),
        },
    };
}

function claimObject({ metadata, spec }: Claim) {
    const { accessModes, resources, storageClassName, volumeMode, volumeName } = spec;
    return {
        metadata: metadataOf(metadata, volumeName ? bound : undefined),
        spec: { accessModes, resources, storageClassName, volumeMode, volumeName },
    };
}

function volumeObject({ metadata, spec }: Volume) {
    const { accessModes, capacity, nodeAffinity, storageClassName, volumeMode } = spec;
    return {
        metadata: metadataOf(metadata),
        // A source is required, but the scheduler ignores it.
        spec: { accessModes, capacity, nodeAffinity, storageClassName, volumeMode, hostPath: { path: "/none" } },
    };
}

/** Ordinal of a StatefulSet's pod. */
const ordinalOf = ({ metadata: { name } }: Pod) => Number(/-(\d+)$/.exec(name)?.[1] ?? 0);

const byName = (one: { readonly name: string }, other: { readonly name: string }) =>
    one.name.localeCompare(other.name, "en");

const podPath = (key: string) => `/api/v1/namespaces/${key.replace("/", "/pods/")}`;

/** A home in a separate control plane. */
export class Model {
    /** Pods that have a node, by key. */
    readonly #pods = new Map<string, Pod>();
    readonly #ordered: ReadonlySet<string>;
    #round = 0;

    private constructor(
        private readonly plane: ControlPlane,
        private readonly home: Home,
    ) {
        this.#ordered = new Set(
            home.statefulSets.filter(({ spec }) => spec.podManagementPolicy !== "Parallel").map(keyOf),
        );
    }

    /** Loads a home. Its pods without a node are left out: they are placed with those that have to move. */
    static async load(plane: ControlPlane, home: Home): Promise<Model> {
        const model = new Model(plane, home);
        await Promise.all([
            ...home.namespaces.map(({ metadata }) =>
                model.#create("/api/v1/namespaces", { metadata: metadataOf(metadata) }),
            ),
            ...home.nodes.map((each) => model.addNode(each)),
            ...home.volumes.map((each) => model.#create("/api/v1/persistentvolumes", volumeObject(each))),
            ...home.storageClasses.map(({ metadata, provisioner, volumeBindingMode, allowedTopologies }) =>
                model.#create("/apis/storage.k8s.io/v1/storageclasses", {
                    ...{ metadata: metadataOf(metadata), provisioner, volumeBindingMode, allowedTopologies },
                }),
            ),
            ...home.claims.map((each) => model.addClaim(each)),
        ]);
        await Promise.all(
            home.pods.filter(({ spec }) => spec.nodeName).map((pod) => model.#createPod(pod, pod.spec.nodeName)),
        );
        return model;
    }

    /** Creates an object. A namespace of Kubernetes' own exists already. */
    async #create(path: string, object: object): Promise<void> {
        await this.plane.call("POST", path, object).catch((error: unknown) => {
            if (!(error instanceof ApiError && error.status === 409)) {
                throw error;
            }
        });
    }

    async #createPod(pod: Pod, node?: string): Promise<void> {
        const { metadata, spec } = podObject(pod, node);
        const labels = { ...pod.metadata.labels, ...(node === undefined && { [round]: String(this.#round) }) };
        await this.#create(`/api/v1/namespaces/${pod.metadata.namespace}/pods`, {
            metadata: { ...metadata, labels },
            spec,
        });
        if (node !== undefined) {
            this.#pods.set(
                keyOf(pod),
                pod.spec.nodeName === node ? pod : { ...pod, spec: { ...pod.spec, nodeName: node } },
            );
        }
    }

    async #deletePod(key: string): Promise<void> {
        this.#pods.delete(key);
        await this.plane.call("DELETE", podPath(key)).catch((error: unknown) => {
            if (!(error instanceof ApiError && error.status === 404)) {
                throw error;
            }
        });
    }

    /** Pods that have a node. */
    get pods(): readonly Pod[] {
        return [...this.#pods.values()];
    }

    async addNode(node: Node): Promise<void> {
        await this.#create("/api/v1/nodes", nodeObject(node));
    }

    async addClaim(claim: Claim): Promise<void> {
        await this.#create(`/api/v1/namespaces/${claim.metadata.namespace}/persistentvolumeclaims`, claimObject(claim));
    }

    async removeNode(name: string): Promise<void> {
        await this.plane.call("DELETE", `/api/v1/nodes/${name}`);
    }

    async setSchedulable(name: string, schedulable: boolean): Promise<void> {
        await this.plane.call("PATCH", `/api/v1/nodes/${name}`, { spec: { unschedulable: !schedulable } });
    }

    /** Takes pods off their nodes. */
    async evict(pods: readonly Pod[]): Promise<void> {
        await Promise.all(pods.map((pod) => this.#deletePod(keyOf(pod))));
    }

    /**
     * Reports whether two pods of a workload have the same requirements for a node, including the API server's
     * defaults.
     */
    async needsSame(one: Pod, other: Pod): Promise<boolean> {
        const stateOfNode = /^node\.kubernetes\.io\//;
        const [first, second] = await Promise.all(
            [one, other].map(async ({ metadata, spec }) => {
                const pod = podObject({ metadata: { ...metadata, name: "sample" }, spec });
                const path = `/api/v1/namespaces/${metadata.namespace}/pods?dryRun=All`;
                const { spec: complete } = await this.plane.call<Pod>("POST", path, pod);
                const tolerations = complete.tolerations?.filter((each) => !stateOfNode.test(Object(each).key));
                return { ...complete, tolerations, volumes: [...(complete.volumes ?? [])].sort(byName) };
            }),
        );
        return isDeepStrictEqual(first, second);
    }

    /**
     * Places pods in several orders, as controllers recreate them in any: those that got no node first, and where it
     * turns out that services compete for room, each of the others last; and with other pods that make room. The model is
     * left as the last placement has it.
     *
     * @param hopeless keys of pods that no order helps: their volume is lost
     */
    async place(pods: readonly Pod[], hopeless: ReadonlySet<string> = new Set()): Promise<Placement[]> {
        const before = new Map(this.#pods);
        const placements: Placement[] = [];
        const attempt = async (order: readonly Pod[], from: ReadonlyMap<string, Pod> = before) => {
            await this.#reset(from);
            const placement = await this.settle(order);
            placements.push(placement);
            return placement;
        };
        await attempt(pods);
        await attempt(pods.toReversed());
        const services = [...new Set(pods.map((pod) => controllerOf(pod).key))].map((key) => ({
            own: pods.filter((pod) => controllerOf(pod).key === key),
            others: pods.filter((pod) => controllerOf(pod).key !== key),
        }));
        type Service = (typeof services)[number];
        const counts = ({ own }: Service) =>
            placements.map(({ placed }) => own.filter((pod) => placed.has(keyOf(pod))).length);
        const isHopeless = ({ own }: Service) => own.every((pod) => hopeless.has(keyOf(pod)));
        const isShort = (service: Service) => counts(service).some((count) => count < service.own.length);
        for (const { own, others } of services.filter((each) => isShort(each) && !isHopeless(each))) {
            await attempt([...own, ...others]);
        }
        if (services.some((each) => new Set(counts(each)).size > 1)) {
            for (const { own, others } of services.filter((each) => !isShort(each))) {
                await attempt([...others, ...own]);
            }
        }
        if (placements.some(({ preempted }) => preempted.size > 0)) {
            await this.#otherVictims(pods, before, placements, attempt);
            await attempt(pods);
        }
        return placements;
    }

    /**
     * Adds placements in which other pods make room than in those before: among equals, the scheduler's choice is
     * arbitrary. Those that made room before are kept from it by a higher priority, as long as everything else fits; where
     * too few are left, all but some of them, in turn; then each that made room in all placements.
     */
    async #otherVictims(
        pods: readonly Pod[],
        before: ReadonlyMap<string, Pod>,
        placements: Placement[],
        attempt: (order: readonly Pod[], from: ReadonlyMap<string, Pod>) => Promise<Placement>,
    ): Promise<void> {
        const preemptors = [...(placements[0]?.placed.keys() ?? [])].filter((key) => !before.has(key));
        const victims = () => [...new Set(placements.flatMap(({ preempted }) => [...preempted.keys()]))];
        const keepAllBut = async (exceptions: readonly string[]) => {
            const kept = victims().filter((key) => !exceptions.includes(key));
            const from = new Map(
                [...before].map(([key, pod]) => [
                    key,
                    kept.includes(key) ? { ...pod, spec: { ...pod.spec, priority: highestPriority } } : pod,
                ]),
            );
            const { placed } = await attempt(pods, from);
            const fits = preemptors.every((key) => placed.has(key));
            if (!fits) {
                placements.pop();
            }
            return fits;
        };
        let fits = true;
        for (let known = 0; fits && known < victims().length; ) {
            known = victims().length;
            fits = await keepAllBut([]);
        }
        for (let size = 1; !fits && size < victims().length; size++) {
            // The list grows by those that make room now.
            for (let at = 0; at < victims().length; at++) {
                const all = victims();
                fits = (await keepAllBut([...all, ...all].slice(at, at + size))) || fits;
            }
        }
        // One that made room each time may not have to.
        for (const key of victims().filter((each) => placements.every(({ preempted }) => preempted.has(each)))) {
            await keepAllBut(victims().filter((each) => each !== key));
        }
    }

    /** Returns every pod to its original node. */
    async #reset(before: ReadonlyMap<string, Pod>): Promise<void> {
        const moved = [...this.#pods].filter(([key, pod]) => before.get(key) !== pod);
        await Promise.all(moved.map(([key]) => this.#deletePod(key)));
        const missing = [...before].filter(([key]) => !this.#pods.has(key));
        await Promise.all(missing.map(([, pod]) => this.#createPod(pod, pod.spec.nodeName)));
    }

    /** Submits pods to the scheduler, and resubmits those that it could not place until it can place none of them. */
    async settle(pods: readonly Pod[]): Promise<Placement> {
        const placed = new Map<string, string>();
        const stuck = new Map<string, string>();
        const preempted = new Map<string, string>();
        const lost = new Map<string, string>();
        for (let queue = pods; ; ) {
            const blocked = queue.filter((pod) => this.#waitsFor(pod, queue) !== undefined);
            const submitted = queue.filter((pod) => !blocked.includes(pod));
            stuck.clear();
            this.#round++;
            for (const pod of blocked) {
                stuck.set(keyOf(pod), `waits for ${this.#waitsFor(pod, queue)}, which has no node`);
            }
            for (const pod of submitted) {
                // Sequentially, since the order matters.
                await this.#createPod(pod);
            }
            const decided = await this.#decided();
            const victims = await this.#vanished(decided.size);
            for (const { metadata, spec } of victims) {
                const key = keyOf({ metadata });
                this.#pods.delete(key);
                placed.delete(key);
                preempted.set(key, preempted.get(key) ?? spec.nodeName ?? "");
            }
            const left: Pod[] = [];
            for (const pod of submitted) {
                const key = keyOf(pod);
                const { spec, status } = decided.get(key) ?? {};
                if (spec?.nodeName) {
                    placed.set(key, spec.nodeName);
                    this.#pods.set(key, { ...pod, spec: { ...pod.spec, nodeName: spec.nodeName } });
                } else {
                    const condition = status?.conditions?.find(({ type }) => type === "PodScheduled");
                    stuck.set(key, condition?.message ?? "the scheduler gives no reason");
                    left.push(pod);
                    await this.#deletePod(key);
                }
            }
            // Nothing recreates a pod without a controller.
            for (const pod of victims.filter((each) => controllerOf(each).kind === "Pod")) {
                lost.set(keyOf(pod), "is preempted by pods of a higher priority, and nothing recreates it");
            }
            const awaitsRoom = left.some((pod) => decided.get(keyOf(pod))?.status?.nominatedNodeName !== undefined);
            if (left.length === submitted.length && victims.length === 0 && !awaitsRoom) {
                return { placed, stuck: new Map([...stuck, ...lost]), preempted };
            }
            queue = [...left, ...blocked, ...victims.filter((each) => controllerOf(each).kind !== "Pod")];
        }
    }

    /** The pod that the StatefulSet's controller requires before it creates this one. */
    #waitsFor(pod: Pod, queue: readonly Pod[]): string | undefined {
        const { kind, key } = controllerOf(pod);
        if (kind !== "StatefulSet" || !this.#ordered.has(key)) {
            return undefined;
        }
        return queue.find((each) => controllerOf(each).key === key && ordinalOf(each) < ordinalOf(pod))?.metadata.name;
    }

    /** The pods of this round by key, once the scheduler has decided about each. */
    async #decided(): Promise<ReadonlyMap<string, LivePod>> {
        // The scheduler may miss the end of a preempted pod, and retry only five minutes later, so the pod is
        // resubmitted.
        const patience = Date.now() + nominationLimit;
        const isDecided = ({ spec, status }: LivePod) =>
            spec.nodeName !== undefined ||
            ((status?.nominatedNodeName === undefined || Date.now() > patience) &&
                status?.conditions?.some(
                    ({ type, status: value, reason }) =>
                        type === "PodScheduled" && value === "False" && reason !== "SchedulerError",
                ));
        let pods: readonly LivePod[] = [];
        await this.plane.until("the scheduler did not decide about every pod", async () => {
            const query = `labelSelector=${encodeURIComponent(`${round}=${this.#round}`)}`;
            ({ items: pods } = await this.plane.call<{ items: LivePod[] }>("GET", `/api/v1/pods?${query}`));
            if (pods.every(isDecided)) {
                return true;
            }
            await this.#provision();
            return false;
        });
        return new Map(pods.map((each) => [keyOf(each), each]));
    }

    /** Pods that the scheduler deleted to make room for the given number of others. */
    async #vanished(submitted: number): Promise<Pod[]> {
        const all = "/api/v1/pods";
        const { items, metadata } = await this.plane.call<PodList>("GET", `${all}?limit=1`);
        if (items.length + (metadata.remainingItemCount ?? 0) === this.#pods.size + submitted) {
            return [];
        }
        const live = new Set((await this.plane.call<PodList>("GET", all)).items.map(keyOf));
        return [...this.#pods].filter(([key]) => !live.has(key)).map(([, pod]) => pod);
    }

    /** Acts as the provisioner: a new claim gets its volume on the node of its first pod. */
    async #provision(): Promise<void> {
        if (this.home.storageClasses.length === 0) {
            return;
        }
        const { items } = await this.plane.call<{ items: Claim[] }>("GET", "/api/v1/persistentvolumeclaims");
        for (const claim of items) {
            const node = claim.metadata.annotations?.[selectedNode];
            if (node === undefined || claim.spec.volumeName) {
                continue;
            }
            const { namespace, name } = claim.metadata;
            const volume = `new-${namespace}-${name}`;
            const { storageClassName, accessModes, resources } = claim.spec;
            const isLocal = this.home.storageClasses.some(
                ({ metadata, provisioner }) => metadata.name === storageClassName && provisioner === localPath,
            );
            const expression = { key: "kubernetes.io/hostname", operator: "In", values: [node] };
            const nodeAffinity = isLocal && { required: { nodeSelectorTerms: [{ matchExpressions: [expression] }] } };
            await this.#create("/api/v1/persistentvolumes", {
                metadata: { name: volume },
                spec: {
                    ...{ accessModes, capacity: Object(resources).requests, storageClassName },
                    ...{ ...(nodeAffinity && { nodeAffinity }), hostPath: { path: "/none" } },
                    claimRef: { apiVersion: "v1", kind: "PersistentVolumeClaim", namespace, name },
                },
            });
            await this.plane.call("PATCH", `/api/v1/namespaces/${namespace}/persistentvolumeclaims/${name}`, {
                metadata: { annotations: bound },
                spec: { volumeName: volume },
            });
        }
    }
}
