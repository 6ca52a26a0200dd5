import { readFileSync } from "node:fs";
import type { Warning } from "../components/application-status";
import { type ClusterFacts, readCluster } from "../components/cluster";
import { configPath } from "../config/secrets";
import { checkSize, configSize, type StackFile, stackFileName } from "../config/stack-file";
import { describe, Failure } from "../lib/failure";
import { freeBytes } from "../lib/free-bytes";
import { cacheDirectory } from "../lib/paths";
import { engines } from "../package.json";
import { pulumiVersion } from "../toolchain/pulumi-version";
import { goTools, pulumiTools, type ToolName, tool } from "../toolchain/tools";
import { backupCronJobs, hasBackup } from "./backups/home";
import { type Pod as BackupPod, backupNamespace } from "./backups/objects";
import { checkRepository } from "./backups/results";
import { capture } from "./capture";
import { certificateExpiry } from "./certificate";
import { tryExport } from "./export-check";
import type { Ingress } from "./home-names";
import { answersAt, assessInternetAccess, observeInternetAccess } from "./internet-access";
import { Kubectl } from "./kubectl";
import { pulumi, type Stack, withKubeconfig } from "./stack";

/** Result of a check. */
export interface Finding {
    /** Subject of the check: "clock". */
    readonly what: string;
    /** True if the check succeeded. */
    readonly good: boolean;
    /** Observed state, in a few words. */
    readonly found: string;
    /** Remedy, if the check failed. */
    readonly remedy?: string;
    /** Details about a check that succeeded. */
    readonly note?: string;
}

/** Free space below which a run may fail half way, in gigabytes. */
const enoughDisk = 2;

/** Seconds that two clocks may differ: certificates and leases bear more, log lines do not. */
const enoughAccuracy = 5;

/** Seconds after which a node that does not renew its lease is certainly not Ready: Kubernetes allows 50. */
const oldestLease = 60;

/** @returns the message of a failed `look` as the finding */
async function check(what: string, remedy: string, look: () => string | Promise<string>): Promise<Finding> {
    try {
        return { what, good: true, found: await look() };
    } catch (error) {
        return { what, good: false, found: describe(error), remedy };
    }
}

function fail(message: string): never {
    throw new Failure(message);
}

function isThere(name: ToolName): boolean {
    try {
        return tool(name) !== "";
    } catch {
        return false;
    }
}

function tools(): string {
    const names = [...Object.keys(goTools), ...Object.keys(pulumiTools), "redis-server"] as ToolName[];
    const missing = names.filter((name) => !isThere(name));
    return missing.length > 0 ? fail(`missing: ${missing.join(", ")}`) : `${names.length} are present`;
}

function disk(): string {
    const free = Math.min(...[".", cacheDirectory].map(freeBytes)) / 1e9;
    const found = `${free.toFixed(1)} GB free`;
    return free < enoughDisk ? fail(found) : found;
}

/** @throws Failure when this Node.js is older than package.json requires */
function node(): string {
    const oldest = engines.node.replace(">=", "");
    const isOld = process.versions.node.localeCompare(oldest, "en", { numeric: true }) < 0;
    return isOld ? fail(`${process.version}, which is older than ${oldest}`) : process.version;
}

/** The tools and this machine. */
export function machineChecks(): Promise<Finding>[] {
    return [
        check("node", "install the current release from https://nodejs.org", node),
        check("git", "install it with your system's packages", async () => {
            const version = await capture("git", ["--version"], { failure: "it does not run" });
            return version.trim().replace("git version ", "");
        }),
        check("tools", "`npm run setup` builds missing tools", tools),
        check("pulumi", "`npm run setup` installs it", async () => {
            const version = (await capture(tool("pulumi"), ["version"], { failure: "it does not run" })).trim();
            return version.replace(/^v/, "") === pulumiVersion ? version : fail(`${version}, not ${pulumiVersion}`);
        }),
        check("disk", `make room: a run needs ${enoughDisk} GB`, disk),
    ];
}

/** Reports whether the stack is known to its backend, and its secrets can be decrypted. */
export async function stackChecks({ name, file }: Stack): Promise<Finding[]> {
    if (!isThere("pulumi")) {
        return []; // Nothing here can be checked, which {@link machineChecks} reports.
    }
    const create = name === "sandbox" ? "`npm start` creates it" : `create it with \`npx pulumi stack init ${name}\``;
    const known = await check("stack", create, async () => {
        await pulumi("stack", "--show-name", "--stack", name);
        return name;
    });
    if (!known.good) {
        return [known];
    }
    const passphrase = await check(
        "passphrase",
        "set PULUMI_CONFIG_PASSPHRASE, or PULUMI_CONFIG_PASSPHRASE_FILE to the path of a file that holds it",
        async () => {
            await pulumi("config", "--show-secrets", "--json", "--stack", name).catch((error: Error) => {
                // A damaged value is reported separately.
                if (error.message.includes("passphrase")) {
                    throw error;
                }
            });
            return "opens the stack's secrets";
        },
    );
    const size = await check("config", "the program could not be started", () => {
        const bytes = configSize(file.config);
        checkSize(stackFileName(name), bytes);
        return `${bytes} bytes`;
    });
    return passphrase.good ? [known, size, passphrase, await damageCheck(name, file)] : [known, size, passphrase];
}

/**
 * Reports whether every encrypted value of the stack's file is intact. Pulumi itself only reports that one of them is
 * not.
 */
async function damageCheck(stack: string, { encrypted }: StackFile): Promise<Finding> {
    const formatted = encrypted.map(([first = "", ...rest]) => configPath([first.replace(/^hearth:/, ""), ...rest]));
    const remedy =
        "take the line from an older commit, or set the secret again with `npx pulumi config set --secret --path`";
    return check("secrets", remedy, async () => {
        const damaged = await Promise.all(
            formatted.map((path) =>
                pulumi("config", "get", "--path", path, "--stack", stack).then(
                    () => [],
                    () => [path],
                ),
            ),
        );
        const paths = damaged.flat();
        return paths.length > 0
            ? fail(`cannot be decrypted: ${paths.join(", ")}`)
            : `${formatted.length} can be decrypted`;
    });
}

interface Lease {
    readonly metadata: { readonly name: string };
    readonly spec?: { readonly renewTime?: string };
}

interface Node {
    readonly metadata: { readonly name: string };
    readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

/**
 * The clocks of nodes by their leases, which they renew every ten seconds with their own time. A node that is not Ready
 * may have stopped long ago.
 *
 * @param now this host's time, in milliseconds since 1970
 */
export function checkClocks(leases: readonly Lease[], nodes: readonly Node[], now: number): string {
    const ready = nodes
        .filter(({ status }) => status?.conditions?.some((each) => each.type === "Ready" && each.status === "True"))
        .map(({ metadata }) => metadata.name);
    const apart = leases.flatMap(({ metadata: { name }, spec }) => {
        const seconds = (Date.parse(spec?.renewTime ?? "") - now) / 1_000;
        if (seconds > enoughAccuracy) {
            return `${name} is ${Math.round(seconds)} s ahead`;
        }
        return seconds < -oldestLease && ready.includes(name)
            ? `${name} is about ${Math.round(-seconds)} s behind`
            : [];
    });
    return apart.length > 0 ? fail(`not that of this machine: ${apart.join(", ")}`) : `${leases.length} compared`;
}

interface Pod {
    readonly spec?: { readonly containers?: readonly { readonly image?: string }[] };
}

/** Images of pods that are pinned only by tag, which a registry may move to another image. */
export function unpinnedImages(pods: readonly Pod[]): { readonly all: number; readonly unpinned: readonly string[] } {
    const images = new Set(pods.flatMap(({ spec }) => spec?.containers?.flatMap(({ image }) => image ?? []) ?? []));
    return { all: images.size, unpinned: [...images].filter((image) => !image.includes("@sha256:")).sort() };
}

/**
 * Signs of an NFS server that maps root to nobody: directories of claims cannot be created, or change their owner.
 *
 * @throws Failure that names them
 */
export function checkExport(warnings: readonly Warning[]): string {
    const refused = warnings
        .filter(({ reason }) => reason === "ProvisioningFailed" || reason === "FailedMount")
        .filter(({ message = "" }) => /nfs|chown/i.test(message) && /permission denied|not permitted/i.test(message))
        .map(({ involvedObject: { namespace, name } }) => `${namespace}/${name}`);
    return refused.length > 0
        ? fail(`root may not write to the export: ${[...new Set(refused)].join(", ")}`)
        : "no claim was rejected";
}

/** ServiceLB in addition to MetalLB. @throws Failure that names the Services */
function checkServiceLb({ serviceLb }: ClusterFacts): string {
    return serviceLb.length > 0 ? fail(`ServiceLB of k3s serves ${serviceLb.join(", ")}`) : "MetalLB alone";
}

/** Access from the Internet to public services. */
async function checkWayIn({ file }: Stack): Promise<Finding> {
    const edge = Object(file.config["hearth:edge"]).address;
    if (typeof edge === "string") {
        const good = await answersAt(edge, 443);
        const found = good ? `the edge ${edge} answers at port 443` : `the edge ${edge} does not answer at port 443`;
        return { what: "internet access", good, found, remedy: "docs/runbooks/TunnelDown.md" };
    }
    return { what: "internet access", ...assessInternetAccess(await observeInternetAccess()) };
}

/**
 * The cluster: its nodes and their clocks, load balancers, the NFS export, images, copies of its data.
 *
 * @param triesExport whether a pod tries the export, which otherwise is judged by the claims on it
 */
export async function clusterChecks(stack: Stack, triesExport = false): Promise<Finding[]> {
    const start = stack.name === "sandbox" ? "`npm start`" : "`npx pulumi up`";
    const reachable = await check("cluster", `start it with ${start}, or check whether this machine can reach it`, () =>
        withKubeconfig(stack, async (path) => {
            const query = ["--kubeconfig", path, "get", "--raw", "/version", "--request-timeout", "5s"];
            const version = await capture(tool("kubectl"), query, { failure: "it does not answer" });
            return `answers, ${JSON.parse(version).gitVersion}`;
        }),
    );
    const certificate = await check("certificate", "run `npx pulumi up`, or `hack/recover` first if that fails", () =>
        withKubeconfig(stack, async (path) => certificateExpiry(readFileSync(path, "utf8"), new Date())),
    );
    if (!reachable.good) {
        // An expired certificate explains a missing answer; a kubeconfig that cannot be read is reported already.
        return certificate.found.includes("valid until") ? [certificate, reachable] : [reachable];
    }
    return withKubeconfig(stack, async (path) => {
        const kubectl = new Kubectl(path);
        const clock = check(
            "clock",
            "synchronize the clock of every host, and of this machine, with an NTP server",
            async () => {
                const [leases, nodes] = await Promise.all([
                    kubectl.list<Lease>("leases", "--namespace", "kube-node-lease"),
                    kubectl.list<Node>("nodes"),
                ]);
                return checkClocks(leases, nodes, Date.now());
            },
        );
        const balancer = check(
            "load balancer",
            "start each k3s server with `--disable=servicelb`: it competes with MetalLB for every address",
            async () => {
                const facts = await readCluster(path);
                return facts ? checkServiceLb(facts) : fail("the API server does not answer");
            },
        );
        const nfs = check(
            "nfs",
            "export with no_root_squash on the NFS server (on a NAS: map no user): see docs/storage.md",
            async () => {
                const { nfs: given } = stack.settings;
                if (triesExport) {
                    return given === undefined ? "no export in hearth:nfs" : tryExport(kubectl, given);
                }
                return checkExport(
                    await kubectl.list<Warning>("events", "--all-namespaces", "--field-selector", "type=Warning"),
                );
            },
        );
        const images = async (): Promise<Finding> => {
            const { all, unpinned } = unpinnedImages(await kubectl.list<Pod>("pods", "--all-namespaces"));
            const found = `${all - unpinned.length} of ${all} by digest`;
            const note = `Renovate pins an image at its first run. Only tagged:\n  ${unpinned.join("\n  ")}`;
            return { what: "images", good: true, found, ...(unpinned.length > 0 ? { note } : {}) };
        };
        const backup = async (): Promise<Finding> => {
            if (!hasBackup(stack)) {
                const note = "Nothing is copied off this home: docs/backup.md shows how to change that in four lines.";
                return { what: "backup", good: true, found: "not set", note };
            }
            return check(
                "backup",
                "`hack/backup` tries again now; docs/backup.md has the target's settings",
                async () => {
                    const [cronJobs, pods] = await Promise.all([
                        backupCronJobs(kubectl),
                        kubectl.list<BackupPod>("pods", "--namespace", backupNamespace),
                    ]);
                    return checkRepository(cronJobs, pods, Date.now());
                },
            );
        };
        const internetAccess = async (): Promise<Finding[]> => {
            const ingresses = await kubectl.list<Ingress>("ingresses.networking.k8s.io", "--all-namespaces");
            // A home without public services needs no access from outside.
            return ingresses.some(({ metadata }) => metadata.annotations?.["hearth/public-target"] !== undefined)
                ? [await checkWayIn(stack)]
                : [];
        };
        const found = await Promise.all([clock, balancer, nfs, images(), backup(), internetAccess()]);
        return [reachable, certificate, ...found.flat()];
    });
}
