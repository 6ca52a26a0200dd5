import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { findOnPath } from "../lib/paths";
import { freePorts } from "../lib/ports";
import { tool } from "../toolchain/tools";
import type { KubeApi } from "./kube-api";
import { link, ownTool } from "./links";
import type { SandboxPaths } from "./paths";
import { emptyDirectories, expand, type Pod, resolveEnvironment, writePodKubeconfig } from "./pod";
import type { PodProgram } from "./pod-processes";
import type { ProcessSpec } from "./supervisor";

/** The components of Argo CD that run as processes, by their label app.kubernetes.io/name, in starting order. */
const components = ["argocd-redis", "argocd-repo-server", "argocd-application-controller", "argocd-server"] as const;

type ArgocdComponent = (typeof components)[number];

/** Free ports of loopback, instead of the Services' addresses. */
type ArgocdPorts = Record<
    "redis" | "repoServer" | "repoServerMetrics" | "controllerMetrics" | "server" | "serverMetrics",
    number
>;

/** Differences from the pod: addresses, and the API server's location. Later flags override the chart's. */
function adaptation(component: ArgocdComponent, kubeconfig: string, ports: ArgocdPorts): string[] {
    const redis = ["--redis", `127.0.0.1:${ports.redis}`];
    const repoServer = ["--repo-server", `127.0.0.1:${ports.repoServer}`, "--repo-server-plaintext"];
    const cluster = ["--kubeconfig", kubeconfig, "--namespace", "argocd"];
    const listen = ["--address", "127.0.0.1", "--metrics-address", "127.0.0.1"];
    switch (component) {
        case "argocd-redis":
            return ["--bind", "127.0.0.1", "--port", String(ports.redis)];
        case "argocd-repo-server":
            return [
                ...["--port", String(ports.repoServer), "--metrics-port", String(ports.repoServerMetrics)],
                ...[...listen, ...redis, "--disable-tls", "--client-ca-path", ""],
            ];
        case "argocd-application-controller":
            return ["--metrics-port", String(ports.controllerMetrics), ...redis, ...repoServer, ...cluster];
        case "argocd-server":
            return [
                ...["--port", String(ports.server), "--metrics-port", String(ports.serverMetrics)],
                ...[...listen, ...redis, ...repoServer, ...cluster],
            ];
    }
}

/** The folder of the commands in the repo server's image: Helm 4 under the name helm, among others. */
function repoServerCommands(paths: SandboxPaths): string {
    const directory = join(paths.bin, "repo-server");
    link(tool("helm4"), join(directory, "helm"));
    link(tool("kustomize"), join(directory, "kustomize"));
    link(tool("argocd"), join(directory, "argocd"));
    // Argo CD verifies signatures of commits with this program, which is not needed here.
    const wrapper = join(directory, "git-verify-wrapper.sh");
    mkdirSync(directory, { recursive: true });
    writeFileSync(wrapper, '#!/bin/sh\ngit verify-commit "$1" 2>&1 || :\n');
    chmodSync(wrapper, 0o755);
    return directory;
}

/** Environment that a pod gets from its image, and a proxy that the machine may need. */
function baseEnvironment(paths: SandboxPaths, home: string, temporary: string): NodeJS.ProcessEnv {
    const own = ["127.0.0.1", "localhost"].join(",");
    const passed = Object.fromEntries(
        ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR"].flatMap((name) =>
            process.env[name] === undefined ? [] : [[name, process.env[name]]],
        ),
    );
    const noProxy = [process.env["NO_PROXY"] ?? process.env["no_proxy"], own].filter(Boolean).join(",");
    const git = findOnPath("git");
    return {
        ...passed,
        NO_PROXY: noProxy,
        no_proxy: noProxy,
        PATH: [repoServerCommands(paths), ...(git ? [dirname(git)] : []), "/usr/local/bin", "/usr/bin", "/bin"].join(
            delimiter,
        ),
        HOME: home,
        TMPDIR: temporary,
        ARGOCD_FAKE_IN_CLUSTER: "true",
        ARGOCD_GPG_ENABLED: "false",
    };
}

async function prepare(
    component: ArgocdComponent,
    pod: Pod,
    paths: SandboxPaths,
    ports: ArgocdPorts,
    api: KubeApi,
): Promise<ProcessSpec> {
    const { metadata, spec } = pod;
    const [container] = spec.containers;
    if (!container) {
        throw new Error(`pod ${metadata.name} has no container`);
    }
    const directory = join(paths.argocd, component);
    const folders = [...emptyDirectories(spec, container)].map(
        ([mountPath, volume]) => [mountPath, join(directory, volume)] as const,
    );
    const onDisk = (path: string) => {
        const mount = folders.find(([mountPath]) => path === mountPath || path.startsWith(`${mountPath}/`));
        return mount ? mount[1] + path.slice(mount[0].length) : path;
    };
    const inPod = await resolveEnvironment(api, metadata, container);
    const env = Object.fromEntries(Object.entries(inPod).map(([name, value]) => [name, onDisk(value)]));
    const home = join(directory, "home");
    const temporary = join(directory, "tmp");
    for (const folder of [home, temporary, ...folders.map(([, folder]) => folder)]) {
        mkdirSync(folder, { recursive: true });
    }
    const kubeconfig = writePodKubeconfig(paths, pod, directory);
    const redis = component === "argocd-redis";
    // The image's entry point names the program in the first argument; Redis' image has it built in.
    const args = [...(container.command ?? []), ...(container.args ?? [])].slice(redis ? 0 : 1);
    return {
        program: redis ? ownTool(paths, "redis-server", component) : ownTool(paths, "argocd", component),
        args: [...args.map((each) => expand(each, env)), ...adaptation(component, kubeconfig, ports)],
        env: {
            ...baseEnvironment(paths, home, temporary),
            ...env,
            KUBECONFIG: kubeconfig,
            ARGOCD_PLUGINSOCKFILEPATH: join(directory, "plugins"),
            // Instead of the one in /tmp, which other sandboxes use too.
            ARGOCD_ASK_PASS_SOCK: join(paths.argocd, "ask-pass.sock"),
        },
        cwd: directory,
        logFile: join(paths.logs, `${component}.log`),
    };
}

/**
 * Argo CD's components, from the pods of its chart.
 *
 * @param serverPort of its API server, if it is known elsewhere; a free one otherwise
 * @param log called with a line
 */
export async function argocdPrograms(
    paths: SandboxPaths,
    api: KubeApi,
    serverPort: number | undefined,
    log: (line: string) => void,
): Promise<PodProgram[]> {
    const free = await freePorts(
        "redis",
        "repoServer",
        "repoServerMetrics",
        "controllerMetrics",
        "server",
        "serverMetrics",
    );
    const ports = { ...free, server: serverPort ?? free.server };
    log(`argocd: the API server is on http://127.0.0.1:${ports.server} when it runs`);
    return components.map((component) => ({
        name: component,
        namespace: "argocd",
        labels: { "app.kubernetes.io/name": component },
        prepare: (pod) => prepare(component, pod, paths, ports, api),
    }));
}
