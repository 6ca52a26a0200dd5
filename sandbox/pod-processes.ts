import type { Closeable } from "./http-server";
import type { KubeApi } from "./kube-api";
import { MissingReference, type Pod } from "./pod";
import { repeat } from "./repeat";
import { type ProcessSpec, Supervisor } from "./supervisor";

/** Milliseconds between two comparisons with the cluster. */
const interval = 500;

/** A program that a kubelet would start in a pod's container, and that the sandbox starts as a process. */
export interface PodProgram {
    /** Name of the process and of its log. */
    readonly name: string;
    /** Namespace of its pods. */
    readonly namespace: string;
    /** Labels of its pods. */
    readonly labels: Readonly<Record<string, string>>;
    /** Ports of the container that the API server connects to, with their ports on loopback. */
    readonly ports?: Readonly<Record<number, number>>;
    /**
     * Derives the process from its pod: arguments and environment of the container, with other addresses.
     *
     * @throws MissingReference when a ConfigMap or Secret that it needs is missing
     */
    prepare(pod: Pod): Promise<ProcessSpec>;
    /** Updates the files of its volumes while it runs. */
    refresh?(pod: Pod): Promise<void>;
}

interface Running {
    readonly pod: Pod;
    readonly supervisor: Supervisor;
}

const isReady = ({ status }: Pod) =>
    status?.conditions?.some(({ type, status: value }) => type === "Ready" && value === "True") ?? false;

/**
 * The pod whose container runs: the newest ready one. The current one stays while no newer one is ready.
 *
 * @param running UID of the pod whose process runs
 */
export function podToRun(pods: readonly Pod[], running: string | undefined): Pod | undefined {
    return pods
        .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
        .filter((pod) => isReady(pod) || pod.metadata.uid === running)
        .sort((one, other) => one.metadata.creationTimestamp.localeCompare(other.metadata.creationTimestamp))
        .at(-1);
}

/** Programs of pods as real processes: one per program, started and stopped with its pod. */
export class PodProcesses implements Closeable {
    readonly #running = new Map<PodProgram, Running>();
    /** The program of each pod, by the pod's address: two of one program are ready for a moment of a rollout. */
    #addresses: ReadonlyMap<string, PodProgram> = new Map();
    #waitingFor = "";
    #closed = false;
    readonly #loop: Closeable;

    /** @param log called with a line */
    constructor(
        readonly programs: readonly PodProgram[],
        readonly api: KubeApi,
        readonly log: (line: string) => void,
    ) {
        this.#loop = repeat(interval, "pods", () => this.#reconcile(), log);
    }

    /**
     * The port of loopback where the process of a pod listens.
     *
     * @param address of the pod
     * @param port of its container
     */
    portOf(address: string, port: number): number | undefined {
        const program = this.#addresses.get(address);
        return program && this.#running.has(program) ? program.ports?.[port] : undefined;
    }

    /** Logs what a program waits for, once. */
    #report(what: string): void {
        if (what !== this.#waitingFor) {
            this.log(what);
            this.#waitingFor = what;
        }
    }

    async #reconcile(): Promise<void> {
        const namespaces = [...new Set(this.programs.map(({ namespace }) => namespace))];
        const lists = await Promise.all(
            namespaces.map((each) => this.api.get<{ items: Pod[] }>(`/api/v1/namespaces/${each}/pods`)),
        );
        const pods = lists.flatMap((list) => list?.items ?? []);
        const podsOf = ({ namespace, labels }: PodProgram) =>
            pods.filter(
                ({ metadata }) =>
                    metadata.namespace === namespace &&
                    Object.entries(labels).every(([name, value]) => metadata.labels?.[name] === value),
            );
        this.#addresses = new Map(
            this.programs.flatMap((program) =>
                podsOf(program).flatMap(({ status }) => (status?.podIP ? [[status.podIP, program] as const] : [])),
            ),
        );
        for (const program of this.programs) {
            if (this.#closed) {
                return;
            }
            await this.#reconcileProgram(program, podsOf(program));
        }
    }

    async #reconcileProgram(program: PodProgram, pods: readonly Pod[]): Promise<void> {
        const running = this.#running.get(program)?.pod.metadata.uid;
        const pod = podToRun(pods, running);
        if (!pod) {
            await this.#stop(program);
            return;
        }
        try {
            if (pod.metadata.uid === running) {
                await program.refresh?.(pod);
                return;
            }
            const spec = await program.prepare(pod);
            await this.#stop(program);
            this.#running.set(program, { pod, supervisor: new Supervisor(program.name, spec, this.log) });
        } catch (error) {
            if (!(error instanceof MissingReference)) {
                throw error;
            }
            this.#report(`${program.name} waits: ${error.message}`);
        }
    }

    async #stop(program: PodProgram): Promise<void> {
        const running = this.#running.get(program);
        this.#running.delete(program);
        await running?.supervisor.stop();
    }

    async close(): Promise<void> {
        this.#closed = true;
        await this.#loop.close();
        await Promise.all(this.programs.map((program) => this.#stop(program)));
    }
}
