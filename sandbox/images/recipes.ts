import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { dirname, join } from "node:path";
import { Failure } from "../../lib/failure";
import { cacheDirectory } from "../../lib/paths";
import { root } from "../../lib/root";
import { run } from "../../lib/run";
import { sourcesOf } from "../../toolchain/go-build";
import { type GoTool, goTools, podTools, type ToolName, testTools, tool, toolVersion } from "../../toolchain/tools";
import { debianPackages, packagedVersion } from "./debian";
import type { CopiedFile, Entry, Owner, Package } from "./layer";
import type { ImageConfig } from "./store";

/** Layers of an image, and the version of the program in it. */
export interface Contents {
    readonly version: string;
    readonly layers: readonly (readonly Entry[])[];
}

/** An image that this machine builds. */
export interface Recipe {
    /** Repositories that the image is served as, with the registry's host. */
    readonly repositories: readonly string[];
    /** Source of the configuration and the paths: a Dockerfile, by repository or Go module, version and path. */
    readonly source: string;
    /** Visible differences from upstream's image. */
    readonly differs?: string;
    readonly config: ImageConfig;
    readonly contents: () => Promise<Contents>;
}

/** cap_net_bind_service of include/uapi/linux/capability.h. */
const netBindService = 10;

const tools: Readonly<Record<string, GoTool>> = { ...goTools, ...testTools, ...podTools };

function goTool(name: ToolName): GoTool {
    const found = tools[name];
    if (!found) {
        throw new Error(`${name} is not built from a Go module`);
    }
    return found;
}

/** Release of a tool without the leading v. */
const release = (name: ToolName) => toolVersion(goTool(name)).slice(1);

/** Folder with the Go module that a tool is built from. */
const sources = (name: ToolName) => sourcesOf(name, goTool(name));

const program = (name: ToolName, path: string, more?: Partial<CopiedFile>): CopiedFile => ({
    path,
    from: tool(name),
    ...more,
});

/** A script of this repository. */
const script = (name: string, path: string): Entry => ({
    path,
    text: readFileSync(join(root, "sandbox/images/files", name), "utf8"),
    mode: 0o755,
});

type Account = readonly [name: string, uid: number, gid: number, home: string];

/** /etc/passwd and /etc/group with root, nobody and some more. */
function accounts(...more: readonly Account[]): Entry[] {
    const all: readonly Account[] = [["root", 0, 0, "/root"], ["nobody", 65534, 65534, "/"], ...more];
    const lines = (line: (of: Account) => string) => all.map((each) => `${line(each)}\n`).join("");
    return [
        { path: "/etc/passwd", text: lines(([name, uid, gid, home]) => `${name}:x:${uid}:${gid}::${home}:/bin/sh`) },
        { path: "/etc/group", text: lines(([name, , gid]) => `${name}:x:${gid}:`) },
    ];
}

/** Links of a merged /usr, which the first layer of every image has. */
const mergedUsr: readonly Entry[] = ["bin", "sbin", "lib", "lib64"].map((name) => ({
    path: `/${name}`,
    target: `usr/${name}`,
}));

const bundle = "/etc/ssl/certs/ca-certificates.crt";

/** This machine's certificate authorities, where it has any. */
const authorities: readonly Entry[] = existsSync(bundle) ? [{ path: bundle, from: bundle, mode: 0o644 }] : [];

/** Files of upstream's base image `distroless/static`: no shell. */
const distroless: readonly Entry[] = [
    ...mergedUsr,
    ...accounts(["nonroot", 65532, 65532, "/home/nonroot"]),
    ...authorities,
    { path: "/tmp", mode: 0o1777 },
    { path: "/home/nonroot", mode: 0o700, owner: [65532, 65532] },
];

/** Programs that Alpine's and upstream's busybox images have under their own names. */
const applets = (
    "[ ash awk base64 basename cat chmod chown cmp cp cut date dd df dirname du echo env expr false find grep gunzip " +
    "gzip head hostname httpd id ip kill ln ls md5sum mkdir mktemp mount mv nc netstat nslookup od ping printf ps pwd " +
    "readlink realpath rm rmdir sed seq sh sha256sum sleep sort stat sync tail tar tee test timeout top touch tr true " +
    "umount uname uniq vi wc wget which whoami xargs yes"
).split(" ");

/** Alpine or busybox as a base image: a shell and the common programs. */
async function busybox(): Promise<Package[]> {
    return (await debianPackages(["busybox-static"])).filter((each) => each.package.includes("/busybox-static_"));
}

/** Time zones, which upstream's base image of Prometheus' programs has. */
async function timeZones(): Promise<Package[]> {
    return (await debianPackages(["tzdata"])).filter((each) => each.package.includes("/tzdata_"));
}

const busyboxBase = async (...users: readonly Account[]): Promise<Entry[]> => [
    ...mergedUsr,
    ...(await busybox()),
    ...applets.map((name) => ({ path: `/bin/${name}`, target: "busybox" })),
    ...accounts(...users),
    ...authorities,
    { path: "/tmp", mode: 0o1777 },
    { path: "/root", mode: 0o700 },
];

/** Debian's programs that every image with a Debian below it has; one layer that all of them share. */
const debianBase = [
    ...["base-files", "bash", "coreutils", "dash", "debianutils", "findutils", "gawk", "grep", "gzip", "libc-bin"],
    ...["netbase", "sed", "tar", "tzdata", "procps"],
];

/** Debian's base layer and a second one with further packages. */
async function debian(...names: readonly string[]): Promise<{ layers: Entry[][]; version: (name: string) => string }> {
    const base = await debianPackages(debianBase);
    const all = await debianPackages([...debianBase, ...names]);
    const below = new Set(base.map((each) => each.package));
    const own = all.filter((each) => !below.has(each.package));
    const shared = [...mergedUsr, ...base, ...authorities, { path: "/bin/awk", target: "gawk" }, ...accounts()];
    return { layers: [shared, own], version: (name) => packagedVersion(all, name) };
}

/** Builds the C program that every pod's sandbox runs, from Kubernetes' own source. */
async function pause(): Promise<{ from: string; version: string }> {
    const folder = join(await sources("kube-apiserver"), "build/pause");
    const version = /^# (\S+)/m.exec(readFileSync(join(folder, "CHANGELOG.md"), "utf8"))?.[1] ?? "unknown";
    const source = readFileSync(join(folder, "linux/pause.c"), "utf8");
    const key = createHash("sha256").update(source).update(process.arch).digest("hex").slice(0, 16);
    const from = join(cacheDirectory, "tools", `pause-${key}`, "pause");
    if (!existsSync(from)) {
        mkdirSync(dirname(from), { recursive: true });
        const flags = ["-Os", "-static", `-DVERSION=v${version}`, "-o", `${from}.new`];
        const { exitCode, output } = await run("cc", [...flags, join(folder, "linux/pause.c")]);
        if (exitCode !== 0) {
            throw new Failure(`pause cannot be built: ${output.trim().split("\n")[0]}. Install gcc and libc6-dev.`);
        }
        renameSync(`${from}.new`, from);
    }
    return { from, version };
}

/** An image without a shell that has one Go program in it. */
function staticImage(
    name: ToolName,
    path: string,
    image: Omit<Recipe, "contents">,
    more?: Partial<CopiedFile>,
): Recipe {
    return {
        ...image,
        contents: async () => ({ version: release(name), layers: [distroless, [program(name, path, more)]] }),
    };
}

/** An image of the Prometheus project: busybox, and the program in /bin. */
function prometheusImage(name: ToolName, repository: string, config: ImageConfig, ...files: Entry[]): Recipe {
    return {
        repositories: [`quay.io/prometheus/${repository}`],
        source: `github.com/prometheus/${repository.replace("-", "_")} ${toolVersion(goTool(name))} Dockerfile`,
        config: { User: "nobody", Entrypoint: [`/bin/${name}`], ...config },
        contents: async () => ({
            // Prometheus' module counts 0.316.0 for the release 3.16.0.
            version: release(name).replace(/^0\.3(\d\d)\./, "3.$1."),
            layers: [await busyboxBase(), [...(await timeZones()), ...files, program(name, `/bin/${name}`)]],
        }),
    };
}

/** Images of Kubernetes, k3s and the system charts. */
const system: readonly Recipe[] = [
    {
        repositories: ["registry.k8s.io/pause", "docker.io/rancher/mirrored-pause"],
        source: "k8s.io/kubernetes v1.36.3 build/pause/Dockerfile",
        config: { User: "65535:65535", Entrypoint: ["/pause"] },
        contents: async () => {
            const { from, version } = await pause();
            return { version, layers: [[{ path: "/pause", from }]] };
        },
    },
    {
        repositories: ["docker.io/library/busybox", "docker.io/rancher/mirrored-library-busybox"],
        source: "docker-library/busybox master latest/glibc/amd64/Dockerfile",
        config: { Cmd: ["sh"] },
        contents: async () => ({
            version: packagedVersion(await busybox(), "busybox-static"),
            layers: [await busyboxBase()],
        }),
    },
    staticImage(
        "coredns",
        "/coredns",
        {
            repositories: ["docker.io/rancher/mirrored-coredns-coredns", "registry.k8s.io/coredns/coredns"],
            source: "github.com/coredns/coredns v1.13.1 Dockerfile",
            config: {
                User: "nonroot:nonroot",
                WorkingDir: "/",
                Entrypoint: ["/coredns"],
                ExposedPorts: ["53/tcp", "53/udp"],
            },
        },
        { capabilities: [netBindService] },
    ),
    {
        repositories: ["docker.io/rancher/local-path-provisioner"],
        source: "github.com/rancher/local-path-provisioner v0.0.30 package/Dockerfile",
        config: { Cmd: ["local-path-provisioner"] },
        contents: async () => ({
            version: release("local-path-provisioner"),
            layers: [await busyboxBase(), [program("local-path-provisioner", "/usr/bin/local-path-provisioner")]],
        }),
    },
    {
        repositories: ["docker.io/library/traefik", "docker.io/rancher/mirrored-library-traefik"],
        source: "traefik/traefik-library-image v3.6/alpine/Dockerfile",
        config: { Entrypoint: ["/entrypoint.sh"], Cmd: ["traefik"], ExposedPorts: ["80/tcp"] },
        contents: async () => ({
            version: release("traefik"),
            layers: [
                await busyboxBase(),
                [script("traefik.sh", "/entrypoint.sh"), program("traefik", "/usr/local/bin/traefik")],
            ],
        }),
    },
    staticImage("metallb-pod-controller", "/controller", {
        repositories: ["quay.io/metallb/controller"],
        source: "go.universe.tf/metallb v0.16.2 controller/Dockerfile",
        config: { Entrypoint: ["/controller"] },
    }),
    staticImage("metallb-speaker", "/speaker", {
        repositories: ["quay.io/metallb/speaker"],
        source: "go.universe.tf/metallb v0.16.2 speaker/Dockerfile",
        config: { Entrypoint: ["/speaker"] },
    }),
    // Their program is controller, webhook, CA injector and check by its first argument.
    ...["controller", "webhook", "cainjector", "startupapicheck"].map((component) =>
        staticImage("cert-manager", "/cert-manager", {
            repositories: [`quay.io/jetstack/cert-manager-${component}`],
            source: `cert-manager/cert-manager v1.21.2 hack/containers/Containerfile.${component}`,
            differs: "our own main: without the issuers Vault and Venafi, and with an ACME that signs immediately",
            config: { User: "1000", Entrypoint: ["/cert-manager", component] },
        }),
    ),
    staticImage("descheduler", "/bin/descheduler", {
        repositories: ["registry.k8s.io/descheduler/descheduler"],
        source: "sigs.k8s.io/descheduler v0.36.0 Dockerfile",
        config: { User: "1000", Cmd: ["/bin/descheduler", "--help"] },
    }),
    {
        repositories: ["quay.io/argoproj/argocd"],
        source: "github.com/argoproj/argo-cd v3.5.7 Dockerfile",
        differs: "Debian instead of Ubuntu, without git-lfs, connect-proxy and the pages of the user interface",
        config: {
            User: "999",
            Entrypoint: ["/usr/bin/tini", "--"],
            Env: ["ARGOCD_USER_ID=999", "USER=argocd", "GRPC_ENABLE_TXT_SERVICE_CONFIG=false"],
            WorkingDir: "/home/argocd",
        },
        contents: async () => {
            const { layers } = await debian("git", "tini", "gpg", "gpg-agent", "openssh-client");
            const folder = await sources("argocd");
            const names = ["server", "repo-server", "cmp-server", "application-controller", "dex", "notifications"];
            const argocd: Owner = [999, 999];
            return {
                version: release("argocd"),
                layers: [
                    ...layers,
                    [
                        ...(await busybox()),
                        script("argocd-cp.sh", "/bin/cp"),
                        ...accounts(["argocd", 999, 999, "/home/argocd"]),
                        { path: "/home/argocd", mode: 0o775, owner: [999, 0] },
                        { path: "/app/config/ssh/ssh_known_hosts", text: "" },
                        { path: "/etc/ssh/ssh_known_hosts", target: "/app/config/ssh/ssh_known_hosts" },
                        { path: "/app/config/tls", mode: 0o755 },
                        { path: "/app/config/gpg/source", mode: 0o755 },
                        { path: "/app/config/gpg/keys", mode: 0o700, owner: argocd },
                        ...["entrypoint.sh", "hack/gpg-wrapper.sh", "hack/git-verify-wrapper.sh"].map((file) => ({
                            path: `/usr/local/bin/${file.replace("hack/", "")}`,
                            from: join(folder, file),
                        })),
                        { path: "/usr/local/bin/uid_entrypoint.sh", target: "entrypoint.sh" },
                        program("helm4", "/usr/local/bin/helm"),
                        program("kustomize", "/usr/local/bin/kustomize"),
                        program("argocd", "/usr/local/bin/argocd"),
                        ...[...names, "applicationset-controller", "k8s-auth", "commit-server"].map((name) => ({
                            path: `/usr/local/bin/argocd-${name}`,
                            target: "argocd",
                        })),
                    ],
                ],
            };
        },
    },
    {
        repositories: ["ecr-public.aws.com/docker/library/redis", "docker.io/library/redis", "docker.io/valkey/valkey"],
        source: "valkey-io/valkey-container 9.0/alpine/Dockerfile",
        differs: "Debian's Redis, the last release before the fork; the entry point does not change the user",
        config: {
            Entrypoint: ["docker-entrypoint.sh"],
            Cmd: ["valkey-server"],
            WorkingDir: "/data",
            ExposedPorts: ["6379/tcp"],
            Volumes: ["/data"],
        },
        contents: async () => {
            const { layers, version } = await debian("redis-tools");
            const names = ["redis-server", "redis-sentinel", "valkey-server", "valkey-cli"];
            return {
                version: version("redis-tools"),
                layers: [
                    ...layers,
                    [
                        ...accounts(["redis", 999, 1000, "/data"]),
                        { path: "/data", mode: 0o755, owner: [999, 1000] },
                        script("redis.sh", "/usr/local/bin/docker-entrypoint.sh"),
                        ...names.map((name) => ({
                            path: `/usr/local/bin/${name}`,
                            target: name === "valkey-cli" ? "/usr/bin/redis-cli" : "/usr/bin/redis-check-rdb",
                        })),
                    ],
                ],
            };
        },
    },
    staticImage("kubectl", "/bin/kubectl", {
        repositories: ["registry.k8s.io/kubectl"],
        source: "k8s.io/kubernetes v1.36.3 build/server-image/kubectl/Dockerfile",
        config: { Entrypoint: ["/bin/kubectl"] },
    }),
];

/** Images of the charts of this repository. */
const services: readonly Recipe[] = [
    {
        repositories: ["docker.gitea.com/gitea"],
        source: "code.gitea.io/gitea v1.26.0 Dockerfile.rootless",
        differs: "Debian instead of Alpine; the module has no assets from npm: pages have no styles and scripts",
        config: {
            User: "1000:1000",
            Entrypoint: ["/usr/bin/dumb-init", "--", "/usr/local/bin/docker-entrypoint.sh"],
            Env: [
                ...["GITEA_WORK_DIR=/var/lib/gitea", "GITEA_CUSTOM=/var/lib/gitea/custom", "GITEA_TEMP=/tmp/gitea"],
                ...["TMPDIR=/tmp/gitea", "GITEA_APP_INI=/etc/gitea/app.ini", "HOME=/var/lib/gitea/git"],
                // A release's program contains options, templates and pages.
                "GITEA__server__STATIC_ROOT_PATH=/app/gitea",
            ],
            WorkingDir: "/var/lib/gitea",
            ExposedPorts: ["2222/tcp", "3000/tcp"],
            Volumes: ["/var/lib/gitea", "/etc/gitea"],
        },
        contents: async () => {
            const { layers } = await debian("curl", "dumb-init", "gettext-base", "git", "gnupg", "openssh-client");
            const folder = await sources("gitea");
            const bin = "usr/local/bin";
            const git: Owner = [1000, 1000];
            const assets = ["options", "public", "templates"];
            return {
                version: release("gitea"),
                layers: [
                    ...layers,
                    [
                        ...accounts(["git", 1000, 1000, "/var/lib/gitea/git"]),
                        { path: "/var/lib/gitea", mode: 0o755, owner: git },
                        { path: "/etc/gitea", mode: 0o755, owner: git },
                        {
                            path: "/etc/templates/app.ini",
                            from: join(folder, "docker/rootless/etc/templates/app.ini"),
                            mode: 0o644,
                        },
                        ...["docker-entrypoint.sh", "docker-setup.sh", "environment-to-ini", "gitea"].map((file) => ({
                            path: `/${bin}/${file}`,
                            from: join(folder, "docker/rootless", bin, file),
                        })),
                        ...assets.map((name) => ({ path: `/app/gitea/${name}`, tree: join(folder, name) })),
                        program("gitea", "/app/gitea/gitea"),
                    ],
                ],
            };
        },
    },
    {
        repositories: ["ghcr.io/immich-app/postgres"],
        source: "immich-app/base-images main postgres/Dockerfile; docker-library/postgres master 17/bookworm/Dockerfile",
        differs: "Debian's PostgreSQL 15; vchord is an empty library, so vector search does not work",
        config: {
            Entrypoint: ["immich-docker-entrypoint.sh"],
            Cmd: ["postgres"],
            Env: [
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/postgresql/15/bin",
                "PGDATA=/var/lib/postgresql/data",
                "LANG=C.UTF-8",
            ],
            ExposedPorts: ["5432/tcp"],
            Volumes: ["/var/lib/postgresql/data"],
        },
        contents: async () => {
            const { layers, version } = await debian("postgresql-15");
            const owner: Owner = [999, 999];
            const extensions = "/usr/share/postgresql/15/extension";
            return {
                version: version("postgresql-15"),
                layers: [
                    ...layers,
                    [
                        ...accounts(["postgres", 999, 999, "/var/lib/postgresql"]),
                        { path: "/var/lib/postgresql", mode: 0o755, owner },
                        { path: "/var/lib/postgresql/data", mode: 0o1777, owner },
                        { path: "/run/postgresql", mode: 0o3777, owner },
                        // Loaded at the start of every server; Debian's library does nothing in it.
                        {
                            path: "/usr/lib/postgresql/15/lib/vchord.so",
                            target: "cube.so",
                        },
                        ...["vector", "vchord"].flatMap((name) => [
                            { path: `${extensions}/${name}.control`, text: "default_version = '0'\n" },
                            { path: `${extensions}/${name}--0.sql`, text: "-- Types and indexes are missing here.\n" },
                        ]),
                        script("postgres.sh", "/usr/local/bin/docker-entrypoint.sh"),
                        { path: "/usr/local/bin/immich-docker-entrypoint.sh", target: "docker-entrypoint.sh" },
                    ],
                ],
            };
        },
    },
    {
        repositories: ["quay.io/prometheuscommunity/postgres-exporter"],
        source: "prometheus-community/postgres_exporter master Dockerfile",
        config: { User: "nobody", Entrypoint: ["/bin/postgres_exporter"], ExposedPorts: ["9187/tcp"] },
        contents: async () => {
            const { layers, version } = await debian("prometheus-postgres-exporter");
            return {
                version: version("prometheus-postgres-exporter"),
                layers: [...layers, [{ path: "/bin/postgres_exporter", target: "prometheus-postgres-exporter" }]],
            };
        },
    },
    prometheusImage(
        "prometheus",
        "prometheus",
        {
            Cmd: ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"],
            WorkingDir: "/prometheus",
            ExposedPorts: ["9090/tcp"],
            Volumes: ["/prometheus"],
        },
        { path: "/prometheus", mode: 0o775, owner: [65534, 65534] },
        { path: "/etc/prometheus", mode: 0o755, owner: [65534, 65534] },
    ),
    prometheusImage(
        "alertmanager",
        "alertmanager",
        {
            Cmd: ["--config.file=/etc/alertmanager/alertmanager.yml", "--storage.path=/alertmanager"],
            WorkingDir: "/alertmanager",
            ExposedPorts: ["9093/tcp"],
            Volumes: ["/alertmanager"],
        },
        { path: "/alertmanager", mode: 0o775, owner: [65534, 65534] },
        { path: "/etc/alertmanager", mode: 0o775, owner: [65534, 65534] },
    ),
    prometheusImage("node_exporter", "node-exporter", { ExposedPorts: ["9100/tcp"] }),
    staticImage("kube-state-metrics", "/kube-state-metrics", {
        repositories: ["registry.k8s.io/kube-state-metrics/kube-state-metrics"],
        source: "k8s.io/kube-state-metrics v2.20.0 Dockerfile",
        config: {
            User: "nobody",
            Entrypoint: ["/kube-state-metrics", "--port=8080", "--telemetry-port=8081"],
            ExposedPorts: ["8080/tcp", "8081/tcp"],
        },
    }),
    {
        repositories: ["docker.io/glanceapp/glance"],
        source: "github.com/glanceapp/glance v0.8.5 Dockerfile.goreleaser",
        config: {
            WorkingDir: "/app",
            Entrypoint: ["/app/glance", "--config", "/app/config/glance.yml"],
            ExposedPorts: ["8080/tcp"],
        },
        contents: async () => ({
            version: release("glance"),
            layers: [await busyboxBase(), [program("glance", "/app/glance")]],
        }),
    },
    {
        repositories: ["ghcr.io/twin/gatus"],
        source: "github.com/TwiN/gatus v5.36.0 Dockerfile",
        config: {
            Entrypoint: ["/gatus"],
            Env: ["GATUS_CONFIG_PATH=", "GATUS_LOG_LEVEL=INFO", "PORT=8080"],
            ExposedPorts: ["8080/tcp"],
        },
        contents: async () => ({
            version: release("gatus"),
            layers: [[...mergedUsr, ...authorities, program("gatus", "/gatus")]],
        }),
    },
    {
        repositories: ["ghcr.io/home-operations/gatus-sidecar"],
        source: "home-operations/gatus-sidecar main Dockerfile",
        differs: "a shell script with kubectl that supports only --auto-ingress and --output",
        config: { User: "65532:65532", Entrypoint: ["/gatus-sidecar"] },
        contents: async () => ({
            version: "stand-in",
            layers: [
                await busyboxBase(),
                [program("kubectl", "/bin/kubectl"), script("gatus-sidecar.sh", "/gatus-sidecar")],
            ],
        }),
    },
    {
        repositories: ["docker.io/adguard/adguardhome"],
        source: "github.com/AdguardTeam/AdGuardHome v0.107.77 docker/build.Dockerfile",
        differs: "its pages are empty: npm builds them, and the Go module does not contain them",
        config: {
            WorkingDir: "/opt/adguardhome/work",
            Entrypoint: ["/opt/adguardhome/AdGuardHome"],
            Cmd: [
                ...["--no-check-update", "-c", "/opt/adguardhome/conf/AdGuardHome.yaml"],
                ...["-w", "/opt/adguardhome/work"],
            ],
            ExposedPorts: ["53/tcp", "53/udp", "80/tcp", "443/tcp", "443/udp", "853/tcp", "853/udp", "3000/tcp"],
        },
        contents: async () => {
            const owner: Owner = [65534, 65534];
            return {
                version: release("AdGuardHome"),
                layers: [
                    await busyboxBase(),
                    [
                        { path: "/opt/adguardhome", mode: 0o755, owner },
                        { path: "/opt/adguardhome/conf", mode: 0o755, owner },
                        { path: "/opt/adguardhome/work", mode: 0o755, owner },
                        program("AdGuardHome", "/opt/adguardhome/AdGuardHome", {
                            owner,
                            capabilities: [netBindService],
                            inheritable: true,
                        }),
                    ],
                ],
            };
        },
    },
    {
        repositories: ["docker.io/library/httpd"],
        source: "docker-library/httpd master 2.4/alpine/Dockerfile",
        differs: "only Debian's apache2-utils: htpasswd, and no server",
        config: { WorkingDir: "/", Cmd: ["sh"] },
        contents: async () => {
            const { layers, version } = await debian("apache2-utils");
            return { version: version("apache2-utils"), layers };
        },
    },
    {
        repositories: ["docker.io/syncthing/syncthing"],
        source: "github.com/syncthing/syncthing v1.30.0 Dockerfile",
        differs:
            "a major version behind, and the module does not contain the pages: the API answers, the page in a browser is empty",
        config: {
            Entrypoint: ["/bin/entrypoint.sh", "/bin/syncthing"],
            Env: [
                ...["PUID=1000", "PGID=1000", "HOME=/var/syncthing"],
                ...["STGUIADDRESS=0.0.0.0:8384", "STHOMEDIR=/var/syncthing/config"],
            ],
            ExposedPorts: ["8384/tcp", "22000/tcp", "22000/udp", "21027/udp"],
            Volumes: ["/var/syncthing"],
        },
        contents: async () => ({
            version: release("syncthing"),
            layers: [
                await busyboxBase(),
                [
                    {
                        path: "/bin/entrypoint.sh",
                        from: join(await sources("syncthing"), "script/docker-entrypoint.sh"),
                    },
                    program("syncthing", "/bin/syncthing"),
                ],
            ],
        }),
    },
    {
        repositories: ["ghcr.io/navidrome/navidrome"],
        source: "github.com/navidrome/navidrome v0.63.2 Dockerfile",
        differs: "without ffmpeg and mpv, so without transcoding, and without the pages that npm builds",
        config: {
            WorkingDir: "/app",
            Entrypoint: ["/app/navidrome"],
            Env: ["ND_MUSICFOLDER=/music", "ND_DATAFOLDER=/data", "ND_PORT=4533", "GODEBUG=asyncpreemptoff=1"],
            ExposedPorts: ["4533/tcp"],
            Volumes: ["/data", "/music"],
        },
        contents: async () => {
            const { layers } = await debian();
            return {
                version: release("navidrome"),
                layers: [...layers, [program("navidrome", "/app/navidrome"), { path: "/.nddockerenv", text: "" }]],
            };
        },
    },
    {
        repositories: ["ghcr.io/home-operations/qbittorrent"],
        source: "home-operations/containers main apps/qbittorrent/{Dockerfile,entrypoint.sh}",
        differs:
            "Debian's qbittorrent-nox, a major version behind, and the part of upstream's initial configuration that enables its page",
        config: {
            User: "nobody:nogroup",
            Entrypoint: ["/usr/bin/catatonit", "--", "/entrypoint.sh"],
            Env: [
                ...["QBT_CONFIRM_LEGAL_NOTICE=1", "QBT_WEBUI_PORT=8080", "QBT_TORRENTING_PORT=50413"],
                ...["HOME=/config", "XDG_CONFIG_HOME=/config", "XDG_DATA_HOME=/config", "UMASK=0002", "TZ=Etc/UTC"],
            ],
            WorkingDir: "/config",
            Volumes: ["/config"],
        },
        contents: async () => {
            const { layers, version } = await debian("catatonit", "python3", "qbittorrent-nox");
            return {
                version: version("qbittorrent-nox"),
                layers: [
                    ...layers,
                    [
                        ...accounts(["nogroup", 65533, 65533, "/"]),
                        { path: "/app/qbittorrent-nox", target: "/usr/bin/qbittorrent-nox" },
                        // apps/qbittorrent/defaults/qBittorrent.conf: the addresses that may log in; without it, the
                        // program does not start.
                        {
                            path: "/defaults/qBittorrent.conf",
                            text: [
                                ...["[LegalNotice]", "Accepted=true", "[Preferences]", "WebUI\\Address=*"],
                                "WebUI\\AuthSubnetWhitelist=10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10",
                                ...["WebUI\\AuthSubnetWhitelistEnabled=true", "WebUI\\CSRFProtection=false"],
                                ...["WebUI\\HostHeaderValidation=false", "WebUI\\LocalHostAuth=false"],
                                ...["WebUI\\ServerDomains=*", ""],
                            ].join("\n"),
                        },
                        script("qbittorrent.sh", "/entrypoint.sh"),
                    ],
                ],
            };
        },
    },
];

/** Every image that can be built here. */
export const recipes: readonly Recipe[] = [...system, ...services];
