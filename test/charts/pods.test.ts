import { expectGolden, goldenTest } from "./golden";
import { containers, type Model, type RunningContainer, workloads } from "./manifest";
import { renderedCharts } from "./workspace";

const rendered = [...renderedCharts()];

/** Name without a Job's hash, which changes with its images. */
const withoutHash = (name: string) => name.replace(/-[0-9a-f]{8,10}$/, "");

const listed = (words: readonly string[] = []) => [...words].sort().join(",") || "none";

/** Source of a volume in one word or two. */
function sourceOf(volume: Model<"V1Volume"> | undefined): string {
    const { persistentVolumeClaim, configMap, secret, emptyDir, hostPath, projected } = volume ?? {};
    if (persistentVolumeClaim) {
        return `claim ${persistentVolumeClaim.claimName}`;
    }
    if (hostPath) {
        return `host ${hostPath.path}`;
    }
    if (configMap) {
        return `config ${configMap.name}`;
    }
    if (secret) {
        return `secret ${secret.secretName}`;
    }
    if (emptyDir) {
        return emptyDir.medium === "Memory" ? "memory" : "scratch";
    }
    return projected ? "projected" : "claim template";
}

/** Pod Security settings of a container, and one line for each of its mounts. */
function lines(chart: string, { workload, container }: RunningContainer): string[] {
    const where = `${chart}/${withoutHash(workload.name)}/${container.name}`;
    const pod = workload.template.spec?.securityContext;
    const { privileged, allowPrivilegeEscalation, readOnlyRootFilesystem, capabilities, ...own } =
        container.securityContext ?? {};
    const rights = [
        `user ${own.runAsUser ?? pod?.runAsUser ?? "of the image"}`,
        `group ${own.runAsGroup ?? pod?.runAsGroup ?? "of the image"}`,
        `seccomp ${(own.seccompProfile ?? pod?.seccompProfile)?.type ?? "none"}`,
        `drops ${listed(capabilities?.drop)}`,
        `adds ${listed(capabilities?.add)}`,
        ...(privileged ? ["privileged"] : []),
        ...(allowPrivilegeEscalation === false ? [] : ["may escalate"]),
        ...(readOnlyRootFilesystem ? [] : ["writable root"]),
    ];
    const mounts = (container.volumeMounts ?? []).map(({ name, mountPath, readOnly, subPath, mountPropagation }) => {
        const source = sourceOf(workload.template.spec?.volumes?.find((volume) => volume.name === name));
        const from = subPath === undefined ? source : `${source}, ${subPath}`;
        return `${where} ${mountPath}: ${[from, ...(readOnly ? ["read-only"] : []), ...(mountPropagation ? [mountPropagation] : [])].join(", ")}`;
    });
    return [`${where}: ${rights.join(", ")}`, ...mounts];
}

/** Resources that the pods of a workload share with their node. */
function shared(chart: string): string[] {
    const manifests = rendered.find(([name]) => name === chart)?.[1] ?? [];
    return workloads(manifests).flatMap(({ name, template: { spec } }) => {
        const names = [
            ...(spec?.hostNetwork ? ["network"] : []),
            ...(spec?.hostPID ? ["processes"] : []),
            ...(spec?.hostIPC ? ["IPC"] : []),
        ];
        return names.map((each) => `${chart}/${withoutHash(name)}: shares the node's ${each}`);
    });
}

test(goldenTest("containers have the rights and the mounts of golden/pods.txt, and no others"), () => {
    const all = rendered.flatMap(([chart, manifests]) => [
        ...shared(chart),
        ...containers(manifests).flatMap((each) => lines(chart, each)),
    ]);
    expectGolden("pods.txt", [...new Set(all)].sort());
});
