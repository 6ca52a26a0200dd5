import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { Home } from "./home";
import { type Canary, findLeaks, type Leak, redisCli, search, watchProcesses } from "./leaks";

/** Milliseconds; a fresh cluster takes minutes on two cores. */
const limit = 10 * 60_000;

let home: Home;
let stopWatching: (canaries: readonly Canary[]) => Leak[];

/** Every value that the config ever had. */
const given: Canary[] = [];

/** A unique value, with characters that every encoding writes differently. */
function newCanary(name: string): string {
    const value = `canary+/"${randomBytes(18).toString("hex")}"`;
    given.push({ name, value });
    return value;
}

async function setSecret(path: string): Promise<void> {
    expect(await home.setSecret(`hearth:secrets.${path}`, newCanary(path))).toHaveEndedWith(0);
}

/** All configured and generated values in the charts' Secrets. */
async function canaries(): Promise<Canary[]> {
    const { items } = await home.get<{
        items: { metadata: { name: string; namespace: string }; data: Record<string, string> }[];
    }>("secrets", "--all-namespaces");
    const living = items
        .filter(({ metadata }) => metadata.name === `${metadata.namespace}-secrets`)
        .flatMap(({ metadata, data }) =>
            Object.entries(data).map(([key, value]) => ({
                name: `${metadata.namespace}.${key}`,
                value: Buffer.from(value, "base64").toString(),
            })),
        );
    return [...given, ...living];
}

/** The pods of the home's services: `namespace/owner` → when it started. */
async function pods(): Promise<Record<string, string>> {
    const { items } = await home.get<{
        items: {
            metadata: {
                namespace: string;
                creationTimestamp: string;
                deletionTimestamp?: string;
                labels: Record<string, string>;
                ownerReferences: { kind: string }[];
            };
        }[];
    }>("pods", "--all-namespaces");
    const stay = items.filter(
        ({ metadata }) =>
            metadata.deletionTimestamp === undefined && metadata.ownerReferences?.every(({ kind }) => kind !== "Job"),
    );
    return Object.fromEntries(
        stay.map(({ metadata: { namespace, labels, creationTimestamp } }) => [
            `${namespace}/${labels["app.kubernetes.io/name"]}`,
            creationTimestamp,
        ]),
    );
}

/** Services whose pods were replaced. */
async function restarted(before: Record<string, string>): Promise<string[]> {
    const now = await pods();
    return Object.keys(now)
        .filter((name) => now[name] !== before[name])
        .sort();
}

beforeAll(async () => {
    home = await Home.create();
    home.keepApplications("cert-manager", "database", "gitops", "qbittorrent", "paperless", "vaultwarden");
    expect(await home.pulumi("stack", "select", "--create")).toHaveEndedWith(0);
    await setSecret("qbittorrent.vpn-private-key");
    await setSecret("qbittorrent.vpn-addresses");
    await home.commit("a small home with secrets of its own");
    stopWatching = watchProcesses();
    expect(await home.start()).toHaveEndedWith(0);
}, limit);

afterAll(async () => home.remove(), limit);

test(
    "a changed secret changes one line of the stack's file and one Secret, and restarts only its consumers",
    async () => {
        const before = await pods();
        await setSecret("qbittorrent.vpn-private-key");
        const changed = execFileSync("git", ["-C", home.root, "diff", "--unified=0"]).toString();
        expect(changed.split("\n").filter((line) => /^[-+][^-+]/.test(line))).toEqual([
            expect.stringMatching(/^- +secure: v1:/),
            expect.stringMatching(/^\+ +secure: v1:/),
        ]);

        const { code, output } = await home.pulumi("up", "--yes", "--skip-preview");
        expect({ code, output }).toHaveEndedWith(0);
        expect(output.match(/core\/v1:Secret \S+ updated/g)).toEqual(["core/v1:Secret qbittorrent updated"]);
        expect(await restarted(before)).toEqual(["qbittorrent/qbittorrent"]);

        const again = await home.pulumi("up", "--yes", "--skip-preview");
        expect(again.output).toMatch(/\d+ unchanged\n/);
        expect(again.output).not.toMatch(/\d+ (updated|created|replaced)/);
    },
    limit,
);

test(
    "a rotated database password changes in the database first, then its app restarts, and nothing else",
    async () => {
        const before = await pods();
        const rotate = await home.hack("secrets", "rotate", "database.paperless-password", "--stack", "sandbox");
        expect(rotate).toHaveEndedWith(0);

        const { code, output } = await home.pulumi("up", "--yes", "--skip-preview");
        expect({ code, output }).toHaveEndedWith(0);
        expect(await restarted(before)).toEqual(["paperless/paperless"]);
        const { items } = await home.get<{
            items: {
                metadata: { name: string; ownerReferences?: { name: string }[] };
                status: { succeeded?: number };
            }[];
        }>("jobs", "--namespace", "database");
        expect(items.filter(({ metadata }) => metadata.ownerReferences?.[0]?.name.startsWith("roles-"))).toMatchObject([
            { status: { succeeded: 1 } },
        ]);
    },
    limit,
);

test(
    "a failing run names its cause, and no secret",
    async () => {
        home.edit("charts/vaultwarden/values.yaml", (text) => text.replace("workloads:", "worklods:"));
        home.edit("Pulumi.sandbox.yaml", (text) => text.replace("config:\n", "config:\n  hearth:tierTimeout: 20s\n"));
        await home.commit("a mistake");
        await home.push();
        const failed = await home.pulumi("up", "--yes", "--skip-preview", "--debug");
        expect(failed.code).not.toBe(0);
        expect(failed.output).toContain("worklods");
        expect(search("output", Buffer.from(failed.output), await canaries())).toEqual([]);
    },
    limit,
);

test(
    "secrets are only in their Secret",
    async () => {
        expect(findLeaks(home, await canaries())).toEqual([]);
    },
    limit,
);

test("no secret was in the arguments or the environment of a process at any time of these tests", async () => {
    expect(stopWatching(await canaries())).toEqual([]);
});

describe("the search itself finds a planted secret", () => {
    const planted: Canary = { name: "planted", value: `planted+/"${randomBytes(18).toString("hex")}"` };
    const found = () => findLeaks(home, [planted]).map(({ place }) => place);
    let sleeper: ChildProcess | undefined;

    afterEach(() => {
        sleeper?.kill();
        sleeper = undefined;
    });

    test.each<[string, () => unknown]>([
        ["Pulumi's state: ", () => writeFileSync(join(home.root, ".state/planted"), planted.value)],
        [
            "the repository: git log",
            async () => {
                home.write("planted.txt", planted.value);
                await home.commit("planted");
            },
        ],
        [
            "Argo CD's folders: ",
            () => writeFileSync(join(home.root, ".sandbox/argocd/planted"), gzipSync(planted.value)),
        ],
        [
            "logs: ",
            () => writeFileSync(join(home.root, ".sandbox/logs/planted.log"), encodeURIComponent(planted.value)),
        ],
        [
            "Applications: ",
            () =>
                home.kubectl(
                    ...["annotate", "application", "paperless", "--namespace", "argocd", `planted=${planted.value}`],
                ),
        ],
        [
            "ConfigMaps: ",
            () =>
                home.kubectl(
                    ...[
                        "create",
                        "configmap",
                        "planted",
                        `--from-literal=it=${Buffer.from(planted.value).toString("base64")}`,
                    ],
                ),
        ],
        [
            "Helm's releases: sh.helm.release.v1.planted",
            () =>
                home.kubectl(
                    ...["create", "secret", "generic", "sh.helm.release.v1.planted", "--type=helm.sh/release.v1"],
                    `--from-literal=release=${gzipSync(planted.value).toString("base64")}`,
                ),
        ],
        [
            "processes: ",
            () => {
                sleeper = spawn("sleep", ["60"], { env: { ...process.env, PLANTED: planted.value } });
            },
        ],
    ])(
        "%s",
        async (place, plant) => {
            await plant();
            expect(found()).toContainEqual(expect.stringContaining(place));
        },
        limit,
    );

    test("Argo CD's Redis", () => {
        redisCli(home)("SET", "planted", planted.value);
        expect(found()).toContainEqual(expect.stringContaining("Argo CD's Redis: Redis planted"));
    });

    test("Events", async () => {
        const event = {
            apiVersion: "v1",
            kind: "Event",
            metadata: { name: "planted", namespace: "default" },
            involvedObject: { kind: "Namespace", name: "default", namespace: "default" },
            message: planted.value,
        };
        home.write("event.json", JSON.stringify(event));
        await home.kubectl("create", "--filename", "event.json");
        expect(found()).toContainEqual(expect.stringContaining("Events: events"));
    });

    test("a process with the secret in its arguments for a moment", async () => {
        const stop = watchProcesses();
        sleeper = spawn("sh", ["-c", "sleep 1", planted.value]);
        await new Promise((resolve) => sleeper?.once("exit", resolve));
        expect(stop([planted])).not.toEqual([]);
    });
});
