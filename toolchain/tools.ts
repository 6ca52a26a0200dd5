import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Failure } from "../lib/failure";
import { cacheDirectory, findOnPath, isExecutable } from "../lib/paths";
import { root } from "../lib/root";
import { pluginVersion, pulumiDirectory } from "./pulumi-version";

/** A program that Go builds from a pinned module. */
export interface GoTool {
    /** Folder under toolchain/ with the go.mod and go.sum that pin it. */
    readonly folder: string;
    /** Folder in it with the sources of our own program, which has its own module there. */
    readonly sources?: string;
    /** The module of the pinned version. */
    readonly module: string;
    /** The package to build. */
    readonly package: string;
    /** Variables to set at link time, so that the program knows its version. */
    readonly variables: (version: string) => Readonly<Record<string, string>>;
    /** Arguments that make it print its version and exit; a program without them is not taken from PATH. */
    readonly versionArguments?: readonly string[];
    /** Expected output, if it is not the version. */
    readonly prints?: string;
    /** True if Go may skip optimizations, which halves the build time of a program that a test runs once. */
    readonly unoptimized?: boolean;
    /** Build tags of a program with parts in C. */
    readonly cgo?: readonly string[];
    /** Build tags of a program without parts in C. */
    readonly tags?: readonly string[];
    /**
     * Files that the program embeds or is compiled with, and that are not in its sources, by their name next to
     * main.go.
     *
     * @param sources the module's folder
     */
    readonly embeds?: (sources: string) => Readonly<Record<string, string>>;
}

function kubernetes(command: string, ...versionArguments: string[]): GoTool {
    return {
        folder: "sandbox",
        module: "k8s.io/kubernetes",
        package: `k8s.io/kubernetes/cmd/${command}`,
        variables: (version) => ({
            "k8s.io/component-base/version.gitVersion": version,
            "k8s.io/component-base/version.gitMajor": version.replace(/^v(\d+).*/, "$1"),
            "k8s.io/component-base/version.gitMinor": version.replace(/^v\d+\.(\d+).*/, "$1"),
        }),
        versionArguments,
    };
}

function kwok(command: string): GoTool {
    return {
        folder: "sandbox",
        module: "sigs.k8s.io/kwok",
        package: `sigs.k8s.io/kwok/cmd/${command}`,
        variables: (version) => ({ "sigs.k8s.io/kwok/pkg/consts.Version": version.slice(1) }),
        versionArguments: ["--version"],
    };
}

/** A program of the Prometheus project; all of them print their version in the same form. */
function prometheus(folder: string, module: string, command: string): GoTool {
    return {
        folder,
        module,
        package: command === "" ? module : `${module}/cmd/${command}`,
        variables: (version) => ({ "github.com/prometheus/common/version.Version": version.slice(1) }),
        versionArguments: ["--version"],
    };
}

/** Our own program in the folder acme. */
function acme(sources: string, module: string): GoTool {
    return {
        folder: "acme",
        sources,
        module,
        package: `github.com/cert-manager/cert-manager/hearth/acme/${sources}`,
        variables: () => ({}),
    };
}

/** The Kubernetes release whose API both Helms assume when they render without a cluster. */
const renderedFor = { major: "1", minor: "36" };

/** Tools of every machine that runs the sandbox: one module, so that shared packages are compiled once. */
export const goTools = {
    kustomize: {
        folder: "sandbox",
        module: "sigs.k8s.io/kustomize/kustomize/v5",
        package: "sigs.k8s.io/kustomize/kustomize/v5",
        variables: (version) => ({ "sigs.k8s.io/kustomize/api/provenance.version": version }),
        versionArguments: ["version"],
    },
    etcd: {
        folder: "sandbox",
        module: "go.etcd.io/etcd/server/v3",
        package: "go.etcd.io/etcd/server/v3",
        variables: () => ({}),
        versionArguments: ["--version"],
    },
    "kube-apiserver": kubernetes("kube-apiserver", "--version"),
    "kube-controller-manager": kubernetes("kube-controller-manager", "--version"),
    "kube-scheduler": kubernetes("kube-scheduler", "--version"),
    kubectl: kubernetes("kubectl", "version", "--client"),
    kwok: kwok("kwok"),
    kwokctl: kwok("kwokctl"),
    // The Helm that Argo CD's repo server renders with.
    helm4: {
        folder: "sandbox",
        module: "helm.sh/helm/v4",
        package: "helm.sh/helm/v4/cmd/helm",
        variables: (version) => ({
            "helm.sh/helm/v4/internal/version.version": version,
            "helm.sh/helm/v4/pkg/chart/common.k8sVersionMajor": renderedFor.major,
            "helm.sh/helm/v4/pkg/chart/common.k8sVersionMinor": renderedFor.minor,
        }),
        versionArguments: ["version", "--short"],
    },
    // One program for application controller, repo server and API server, selected by the name that it is called by.
    argocd: {
        folder: "sandbox",
        module: "github.com/argoproj/argo-cd/v3",
        package: "github.com/argoproj/argo-cd/v3/cmd",
        variables: (version) => ({ "github.com/argoproj/argo-cd/v3/common.version": version.slice(1) }),
        versionArguments: ["version", "--client", "--short"],
    },
    "metallb-controller": {
        folder: "sandbox",
        sources: "metallb",
        module: "go.universe.tf/metallb",
        package: "go.universe.tf/metallb/hearth/metallb-controller",
        variables: () => ({}),
        // Upstream's own package, as main.go expects it.
        embeds: (sources) =>
            Object.fromEntries(
                ["main.go", "service.go"].map((name) => [
                    `upstream-${name}`,
                    readFileSync(join(sources, "controller", name), "utf8"),
                ]),
            ),
    },
    // Controller, webhook and CA injector, by its first argument.
    "cert-manager": {
        folder: "sandbox",
        sources: "cert-manager",
        module: "github.com/cert-manager/cert-manager",
        package: "github.com/cert-manager/cert-manager/hearth/cert-manager",
        variables: (version) => ({ "github.com/cert-manager/cert-manager/pkg/util.AppVersion": version }),
    },
} satisfies Record<string, GoTool>;

/** Tools that only tests need. */
export const testTools = {
    // The Helm that Pulumi's kubernetes plugin embeds.
    helm3: {
        folder: "sandbox",
        module: "helm.sh/helm/v3",
        package: "helm.sh/helm/v3/cmd/helm",
        variables: (version) => ({
            "helm.sh/helm/v3/internal/version.version": version,
            "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor": renderedFor.major,
            "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor": renderedFor.minor,
            "helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor": renderedFor.major,
            "helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor": renderedFor.minor,
        }),
        versionArguments: ["version", "--short"],
    },
    // The programs of charts/monitoring, in the releases of its images.
    node_exporter: prometheus("node-exporter", "github.com/prometheus/node_exporter", ""),
    // charts/monitoring has a later release. From 0.32 on, the module does not contain the pages that it embeds.
    alertmanager: prometheus("alertmanager", "github.com/prometheus/alertmanager", "alertmanager"),
    amtool: prometheus("alertmanager", "github.com/prometheus/alertmanager", "amtool"),
    "kube-state-metrics": {
        ...prometheus("kube-state-metrics", "k8s.io/kube-state-metrics/v2", ""),
        versionArguments: ["version"],
    },
    promtool: prometheus("prometheus", "github.com/prometheus/prometheus", "promtool"),
    prometheus: prometheus("prometheus", "github.com/prometheus/prometheus", "prometheus"),
    // They read the configuration files of the charts that run them.
    glance: {
        folder: "glance",
        module: "github.com/glanceapp/glance",
        package: "github.com/glanceapp/glance",
        variables: (version) => ({ "github.com/glanceapp/glance/internal/glance.buildVersion": version }),
        versionArguments: ["--version"],
        unoptimized: true,
    },
    AdGuardHome: {
        folder: "adguardhome",
        module: "github.com/AdguardTeam/AdGuardHome",
        package: "github.com/AdguardTeam/AdGuardHome/hearth",
        variables: (version) => ({ "github.com/AdguardTeam/AdGuardHome/internal/version.version": version }),
        versionArguments: ["--version"],
        unoptimized: true,
    },
    gatus: {
        folder: "gatus",
        module: "github.com/TwiN/gatus/v5",
        package: "github.com/TwiN/gatus/v5",
        variables: () => ({}),
        unoptimized: true,
    },
    traefik: {
        folder: "traefik",
        module: "github.com/traefik/traefik/v3",
        package: "github.com/traefik/traefik/v3/cmd/traefik",
        variables: (version) => ({ "github.com/traefik/traefik/v3/pkg/version.Version": version.slice(1) }),
        versionArguments: ["version"],
        unoptimized: true,
    },
    // An ACME server, cert-manager's controllers with its own ACME client, and a name server for both.
    pebble: {
        folder: "acme",
        module: "github.com/letsencrypt/pebble/v2",
        package: "github.com/letsencrypt/pebble/v2/cmd/pebble",
        variables: (version) => ({ "main.version": version }),
        versionArguments: ["-version"],
    },
    "cert-manager-acme": acme("cert-manager", "github.com/cert-manager/cert-manager"),
    "name-server": acme("name-server", "github.com/miekg/dns"),
    "external-dns": {
        folder: "external-dns",
        module: "sigs.k8s.io/external-dns",
        package: "sigs.k8s.io/external-dns",
        variables: (version) => ({ "sigs.k8s.io/external-dns/pkg/apis/externaldns.Version": version }),
        versionArguments: ["--version"],
    },
    // The parser of Alloy's language, in our own program.
    alloysyntax: {
        folder: "alloy",
        module: "github.com/grafana/alloy/syntax",
        package: "hearth/toolchain/alloy",
        variables: () => ({}),
    },
    // Programs that check and run .gitea/workflows.
    actionlint: {
        folder: "actionlint",
        module: "github.com/rhysd/actionlint",
        package: "github.com/rhysd/actionlint/cmd/actionlint",
        variables: (version) => ({ "github.com/rhysd/actionlint.version": version.slice(1) }),
        versionArguments: ["-version"],
    },
    // Checks prose by the rules in .vale; most of its build is C: the grammars for comments.
    vale: {
        folder: "vale",
        module: "github.com/vale-cli/vale/v3",
        package: "github.com/vale-cli/vale/v3/cmd/vale",
        variables: (version) => ({ "main.version": version.slice(1) }),
        versionArguments: ["--version"],
        cgo: [],
    },
    crane: {
        folder: "crane",
        module: "github.com/google/go-containerregistry",
        package: "github.com/google/go-containerregistry/cmd/crane",
        variables: (version) => ({ "github.com/google/go-containerregistry/cmd/crane/cmd.Version": version.slice(1) }),
        versionArguments: ["version"],
    },
    // Evaluator of the charts' NetworkPolicies.
    netpolicy: {
        folder: "sandbox",
        module: "github.com/np-guard/netpol-analyzer",
        package: "github.com/np-guard/netpol-analyzer/cmd/netpolicy",
        variables: () => ({}),
    },
    // Program that copies volumes to the home's repository, and one of the servers that it copies to.
    restic: {
        folder: "restic",
        module: "github.com/restic/restic",
        package: "github.com/restic/restic/cmd/restic",
        variables: (version) => ({ "main.version": version.slice(1) }),
        versionArguments: ["version"],
    },
    "rest-server": {
        folder: "restic",
        module: "github.com/restic/rest-server",
        package: "github.com/restic/rest-server/cmd/rest-server",
        variables: () => ({}),
    },
    // Makes a data folder of a snapshot of etcd, as `k3s server --cluster-reset` does.
    etcdutl: {
        folder: "etcdutl",
        module: "go.etcd.io/etcd/etcdutl/v3",
        package: "go.etcd.io/etcd/etcdutl/v3",
        variables: () => ({}),
        versionArguments: ["version"],
    },
    act: {
        folder: "act",
        module: "github.com/nektos/act",
        package: "github.com/nektos/act",
        variables: (version) => ({ "main.version": version.slice(1) }),
        versionArguments: ["--version"],
    },
    // charts/gitops has a later release, which needs the module gitea.dev/actions-proto-go, which no module proxy
    // serves.
    gitea: {
        folder: "gitea",
        module: "code.gitea.io/gitea",
        package: "code.gitea.io/gitea",
        variables: (version) => ({ "main.Version": version.slice(1) }),
        versionArguments: ["--version"],
        cgo: ["sqlite", "sqlite_unlock_notify"],
    },
} satisfies Record<string, GoTool>;

function metallb(command: string): GoTool {
    return {
        folder: "sandbox",
        module: "go.universe.tf/metallb",
        package: `go.universe.tf/metallb/${command}`,
        variables: (version) => ({ "go.universe.tf/metallb/internal/version.gitBranch": version }),
    };
}

function cniPlugin(path: string): GoTool {
    return {
        folder: "cni",
        module: "github.com/containernetworking/plugins",
        package: `github.com/containernetworking/plugins/plugins/${path}`,
        variables: () => ({}),
    };
}

/** Programs of nodes with real pods, and of the images that only they run: `npm run setup -- --for-pods` builds them. */
export const podTools = {
    // The half of k3s that runs pods. containerd and runc are Debian's.
    kubelet: {
        ...kubernetes("kubelet", "--version"),
        // A node reports the release of k3s as its version.
        variables: (version) => ({
            ...kubernetes("kubelet").variables(version),
            "k8s.io/component-base/version.gitVersion": `${version}+k3s1`,
        }),
    },
    "kube-proxy": kubernetes("kube-proxy", "--version"),
    "pod-network": {
        folder: "pod-network",
        module: "github.com/flannel-io/flannel",
        package: "hearth/toolchain/pod-network",
        variables: () => ({}),
    },
    bridge: cniPlugin("main/bridge"),
    "host-local": cniPlugin("ipam/host-local"),
    loopback: cniPlugin("main/loopback"),
    portmap: cniPlugin("meta/portmap"),
    // WireGuard where the kernel has none; wg-quick takes it by its name.
    "wireguard-go": {
        folder: "wireguard-go",
        module: "golang.zx2c4.com/wireguard",
        package: "golang.zx2c4.com/wireguard",
        variables: () => ({}),
    },
    // Programs of images.
    coredns: {
        folder: "coredns",
        module: "github.com/coredns/coredns",
        package: "github.com/coredns/coredns",
        variables: () => ({}),
        unoptimized: true,
    },
    "local-path-provisioner": {
        folder: "local-path-provisioner",
        module: "github.com/rancher/local-path-provisioner",
        package: "github.com/rancher/local-path-provisioner",
        variables: (version) => ({ "main.VERSION": version }),
        unoptimized: true,
    },
    "metallb-pod-controller": metallb("controller"),
    "metallb-speaker": metallb("speaker"),
    descheduler: {
        folder: "descheduler",
        module: "sigs.k8s.io/descheduler",
        package: "sigs.k8s.io/descheduler/cmd/descheduler",
        variables: (version) => ({ "sigs.k8s.io/descheduler/pkg/version.version": version }),
        unoptimized: true,
    },
    // The last release of its first major version in Go's module names; its module does not contain the pages.
    syncthing: {
        folder: "syncthing",
        module: "github.com/syncthing/syncthing",
        package: "github.com/syncthing/syncthing/cmd/syncthing",
        variables: (version) => ({ "github.com/syncthing/syncthing/lib/build.Version": version }),
        tags: ["noassets"],
        unoptimized: true,
    },
    navidrome: {
        folder: "navidrome",
        module: "github.com/navidrome/navidrome",
        package: "github.com/navidrome/navidrome",
        variables: (version) => ({ "github.com/navidrome/navidrome/consts.gitTag": version }),
        cgo: ["netgo", "sqlite_fts5"],
        unoptimized: true,
    },
} satisfies Record<string, GoTool>;

/** Pulumi's CLI and its language host, built if Pulumi's own download is unavailable. */
export const pulumiTools = {
    "pulumi-language-nodejs": {
        folder: "pulumi-language-nodejs",
        // The last release of the SDK that still holds the language host; newer engines speak the same protocol to it.
        module: "github.com/pulumi/pulumi/sdk/v3",
        package: "github.com/pulumi/pulumi/sdk/v3/nodejs/cmd/pulumi-language-nodejs",
        variables: (version) => ({ "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version": version.slice(1) }),
        versionArguments: ["--help"],
        prints: "Usage of",
        unoptimized: true,
    },
    pulumi: {
        folder: "sandbox",
        module: "github.com/pulumi/pulumi/pkg/v3",
        package: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
        variables: (version) => ({ "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version": version.slice(1) }),
        versionArguments: ["version"],
    },
} satisfies Record<string, GoTool>;

/**
 * Pulumi's kubernetes plugin, for a machine that cannot download Pulumi's own release: the newest commit that the Go
 * module proxy has, which is release 4.25.0. Its packages compile with the versions in its own go.mod only.
 */
export const kubernetesPlugin: GoTool = {
    folder: "pulumi-kubernetes",
    module: "github.com/pulumi/pulumi-kubernetes/provider/v4",
    package: "hearth/toolchain/pulumi-kubernetes",
    // The engine warns about a plugin that is older than the npm package.
    variables: () => ({
        "github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version.Version": `${pluginVersion("kubernetes")}+built.from.4.25.0`,
    }),
    unoptimized: true,
    // As upstream's generate.go does.
    embeds: (sources) => {
        const read = (name: string): object =>
            JSON.parse(readFileSync(join(sources, "cmd", "pulumi-resource-kubernetes", name), "utf8"));
        return {
            "schema-embed.json": JSON.stringify({ ...read("schema.json"), version: pluginVersion("kubernetes") }),
            "terraform-mapping-embed.json": JSON.stringify(read("terraform-mapping.json")),
        };
    },
};

/** Tools beyond the sandbox's that a command needs: `npm run setup -- --for-<name>` builds them. */
export const toolsFor = {
    tests: ["helm3", "netpolicy", "gitea"],
    docs: ["gitea", "helm3", "netpolicy", "vale"],
    prose: ["vale"],
    faults: ["helm3", "gitea"],
    programs: [
        ...["AdGuardHome", "gatus", "gitea", "glance", "traefik"],
        ...["cert-manager-acme", "external-dns", "name-server", "pebble"],
    ],
    backup: ["restic", "rest-server", "etcdutl", "gitea"],
    monitoring: [
        ...["alertmanager", "amtool", "kube-state-metrics", "node_exporter", "prometheus", "promtool"],
        ...["alloysyntax", "gatus"],
    ],
    workflows: ["act", "actionlint", "crane"],
    pods: [
        ...["helm3", "gitea", "traefik", "AdGuardHome", "glance", "gatus", "crane"],
        ...["prometheus", "alertmanager", "node_exporter", "kube-state-metrics"],
        ...["restic", "rest-server", "wireguard-go"],
        ...Object.keys(podTools),
    ],
    provision: ["traefik", "wireguard-go", "etcdutl"],
} as const satisfies Readonly<Record<string, readonly string[]>>;

/** Every tool that the toolchain provides. */
export type ToolName =
    | keyof typeof goTools
    | keyof typeof testTools
    | keyof typeof podTools
    | keyof typeof pulumiTools
    | "redis-server";

/** The pinned version of a tool, as its go.mod states it, with the leading v. */
export function toolVersion(tool: GoTool): string {
    const file = join(root, "toolchain", tool.folder, "go.mod");
    const line = readFileSync(file, "utf8")
        .split("\n")
        .find((each) => each.replace(/^\s*(require )?/, "").startsWith(`${tool.module} v`));
    const version = line?.match(/ (v\S+)/)?.[1];
    if (!version) {
        throw new Failure(`${file} requires no version of ${tool.module}`);
    }
    return version;
}

/** Arguments for Go's compiler. */
export function compilerFlags(tool: GoTool): string[] {
    return [
        // The standard library comes from Go's cache as other tools need it.
        ...(tool.unoptimized ? ["-gcflags=all=-N -l -dwarf=false", "-gcflags=std="] : []),
        ...(tool.cgo || tool.tags ? [`-tags=${[...(tool.cgo ?? []), ...(tool.tags ?? [])].join(",")}`] : []),
    ];
}

/** Arguments for Go's linker. */
export function linkerFlags(tool: GoTool): string {
    const variables = Object.entries(tool.variables(toolVersion(tool)));
    return ["-s", "-w", ...variables.map(([name, value]) => `-X ${name}=${value}`)].join(" ");
}

/** Folder with the sources of our own program. */
export function sourceFolder(tool: GoTool): string {
    return join(root, "toolchain", tool.folder, tool.sources ?? "");
}

/**
 * Path of a built tool: a folder per content, so that checkouts with other pins share the cache. Without the release of
 * Go: a new one does not justify a build of a quarter of an hour.
 */
export function builtPath(name: string, tool: GoTool): string {
    const hash = createHash("sha256");
    const folder = join(root, "toolchain", tool.folder);
    // The sources of our own programs count too.
    const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter(
        (each) =>
            /(^|\/)go\.(mod|sum)$|\.go$/.test(each) && (!each.includes("/") || each.startsWith(`${tool.sources}/`)),
    );
    for (const file of files.sort()) {
        hash.update(readFileSync(join(folder, file)));
    }
    hash.update(
        JSON.stringify([tool.package, linkerFlags(tool), process.platform, process.arch, ...compilerFlags(tool)]),
    );
    return join(cacheDirectory, "tools", `${name}-${hash.digest("hex").slice(0, 16)}`, name);
}

/** Path of the Redis server after its installation. */
export const installedRedis = join(cacheDirectory, "tools", "redis-server");

/** The path of redis-server, or undefined when there is none. */
export function redisPath(): string | undefined {
    return findOnPath("redis-server") ?? (isExecutable(installedRedis) ? installedRedis : undefined);
}

function candidate(name: ToolName): string | undefined {
    if (name === "redis-server") {
        return redisPath();
    }
    if (name in pulumiTools) {
        return join(pulumiDirectory, name);
    }
    const built: Record<string, GoTool> = { ...goTools, ...testTools, ...podTools };
    return built[name] && builtPath(name, built[name]);
}

/**
 * The absolute path of a tool.
 *
 * @throws Failure when it is missing, with the command that builds it
 */
export function tool(name: ToolName): string {
    const path = candidate(name);
    if (path === undefined || !isExecutable(path)) {
        const purposes = Object.entries<readonly string[]>(toolsFor);
        const [purpose] = purposes.find(([, names]) => names.includes(name)) ?? [];
        const option = purpose === undefined ? "" : ` -- --for-${purpose}`;
        throw new Failure(`${name} is missing: run \`npm run setup${option}\`, which builds what is missing.`);
    }
    return path;
}
