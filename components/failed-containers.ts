/** State of a container, as the API server lists it. */
interface State {
    readonly terminated?: { readonly exitCode: number; readonly reason?: string; readonly message?: string };
}

interface ContainerStatus {
    readonly name: string;
    readonly image: string;
    readonly ready: boolean;
    readonly restartCount: number;
    readonly state?: State;
    readonly lastState?: State;
}

interface Container {
    readonly name: string;
    readonly resources?: { readonly limits?: Readonly<Record<string, string>> };
}

/** Fields of a pod that explain why its containers do not run. */
export interface PodContainers {
    readonly metadata?: { readonly name?: string; readonly namespace?: string };
    readonly spec?: {
        readonly nodeName?: string;
        readonly containers: readonly Container[];
        readonly initContainers?: readonly Container[];
    };
    readonly status?: {
        readonly phase?: string;
        readonly containerStatuses?: readonly ContainerStatus[];
        readonly initContainerStatuses?: readonly ContainerStatus[];
    };
}

/** The last failure of a container that is not ready. */
function failureOf({ ready, state, lastState }: ContainerStatus): State["terminated"] {
    // A container that has succeeded may wait for the others of its pod.
    if (ready || state?.terminated?.exitCode === 0) {
        return undefined;
    }
    return state?.terminated ?? lastState?.terminated;
}

function explain({ exitCode, reason, message }: NonNullable<State["terminated"]>, memory: string | undefined): string {
    if (reason === "OOMKilled") {
        return memory === undefined
            ? "was killed since its node ran out of memory"
            : `was killed at its memory limit of ${memory}`;
    }
    return `exited with code ${exitCode}${message ? ` (${message.trim()})` : ""}`;
}

/**
 * Lines about containers of a namespace that exited and are not ready again. The kubelet's Event about them,
 * "Back-off restarting failed container", contains no reason.
 */
export function failedContainerLines(pods: readonly PodContainers[], namespace: string): string[] {
    return pods
        .filter(
            ({ metadata, status }) => metadata?.namespace === namespace && /Pending|Running/.test(status?.phase ?? ""),
        )
        .flatMap(({ metadata, spec, status }) => {
            const containers = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];
            return [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])].flatMap((each) => {
                const failure = failureOf(each);
                if (failure === undefined) {
                    return [];
                }
                const { name, image, restartCount } = each;
                const memory = containers.find((one) => one.name === name)?.resources?.limits?.["memory"];
                const restarts = restartCount === 0 ? "" : `, ${restartCount} restart${restartCount === 1 ? "" : "s"}`;
                return [
                    `Pod ${metadata?.name} on ${spec?.nodeName}: container ${name} (${image}) ` +
                        `${explain(failure, memory)}${restarts}`,
                ];
            });
        });
}
