import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { creationsOf } from "../../../hack/recovery/adopt";
import { type ExportedState, knownReleases, kubeconfigOf, withoutPending } from "../../../hack/recovery/deployment";
import { repairBackend } from "../../../hack/recovery/half-written";
import { judgeLock, readLocks, releaseDeadLocks } from "../../../hack/recovery/locks";
import { missingFrom, ownedBy } from "../../../hack/recovery/missing-objects";
import { orphanedPlugins } from "../../../hack/recovery/plugins";
import { type ReleaseRecord, recordsInTheWay } from "../../../hack/recovery/releases";

const timestamp = "2026-11-23T12:00:00Z";
const lock = (pid: number, host: string) => ({
    file: "lock.json",
    holder: { pid, username: "somebody", hostname: host, timestamp },
});
const running = (pid: number, parent: number, ...words: string[]) => ({
    pid,
    parent,
    commandLine: `${words.join("\0")}\0`,
});

describe("a lock on a stack", () => {
    const machine = {
        hostname: "desk",
        processes: [
            running(10, 1, "/opt/pulumi/bin/pulumi", "up", "--yes"),
            running(11, 10, "/opt/pulumi/bin/pulumi-resource-kubernetes", "127.0.0.1:1"),
            running(12, 1, "vim", "pulumi.yaml"),
            running(13, 1, "pulumi", "preview"),
        ],
    };

    test.each([
        ["whose run goes on", lock(10, "desk"), "live"],
        ["whose run goes on, found on PATH", lock(13, "desk"), "live"],
        ["whose process has ended", lock(99, "desk"), "dead"],
        ["whose number is an editor's by now", lock(12, "desk"), "dead"],
        ["whose number is a plugin's by now", lock(11, "desk"), "dead"],
        ["of another machine", lock(10, "sofa"), "elsewhere"],
        ["of another machine, whose process number is unused here", lock(99, "sofa"), "elsewhere"],
        ["that was truncated when it was written", { file: "lock.json", holder: undefined }, "dead"],
    ])("%s", (_, found, expected) => {
        expect(judgeLock(found, machine)).toBe(expected);
    });
});

describe("the locks of a file backend", () => {
    let folder = "";
    const locks = () => join(folder, ".pulumi/locks/organization/hearth/home");
    const take = (name: string, pid: number, host: string) => {
        mkdirSync(locks(), { recursive: true });
        writeFileSync(join(locks(), `${name}.json`), JSON.stringify(lock(pid, host).holder));
        writeFileSync(join(locks(), `${name}.json.attrs`), "{}");
    };
    const release = () => {
        const reported: string[] = [];
        releaseDeadLocks(readLocks(folder, "hearth", "home"), "home", (line) => reported.push(line));
        return reported;
    };
    /** A process by this name that runs for as long as `body` does. */
    const withProcess = async (name: string, body: (pid: number) => void) => {
        const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { argv0: name });
        try {
            await new Promise((started, failed) => child.once("spawn", started).once("error", failed));
            body(child.pid ?? 0);
        } finally {
            child.kill("SIGKILL");
            await new Promise((ended) => child.once("exit", ended));
        }
    };

    beforeEach(() => {
        folder = mkdtempSync(join(tmpdir(), "hearth-test-"));
    });
    afterEach(() => rmSync(folder, { recursive: true }));

    test("are none without a run", () => {
        expect(release()).toEqual([]);
    });

    test("removes a killed run's lock, and reports it", async () => {
        await withProcess("pulumi", (pid) => take("one", pid, hostname()));

        expect(release()).toEqual([expect.stringContaining("somebody, since 2026-11-23T12:00:00Z) has ended")]);
        expect(readLocks(folder, "hearth", "home")).toEqual([]);
        expect(existsSync(join(locks(), "one.json.attrs"))).toBe(false);
    });

    test("keeps every lock while a run is in progress, also those of killed ones", async () => {
        await withProcess("pulumi", (pid) => {
            take("gone", 2 ** 30, hostname());
            take("live", pid, hostname());

            expect(release).toThrow(`Pulumi (process ${pid} of somebody, since ${timestamp}) is running on stack home`);
        });
        expect(readLocks(folder, "hearth", "home")).toHaveLength(2);
    });

    test("removes truncated files in the locks' folder, and keeps complete ones", () => {
        take("one", 1, hostname());
        const stacks = join(folder, ".pulumi/stacks/hearth");
        mkdirSync(stacks, { recursive: true });
        writeFileSync(join(stacks, "home.json"), "{}");
        writeFileSync(join(stacks, "home.json.attrs"), "");
        const reported: string[] = [];

        const found = repairBackend(folder, (line) => reported.push(line));

        expect(found).toEqual({ old: [], lost: [] });
        expect(reported).toEqual([expect.stringMatching(/^Removed: \S+home.json.attrs, which was truncated/)]);
        expect(existsSync(join(stacks, "home.json"))).toBe(true);
        expect(existsSync(join(locks(), "one.json.attrs"))).toBe(true);
    });

    describe("a state that was truncated on a full disk", () => {
        const cut = '{ "version": 3, "check';
        let stacks: string;
        const repaired = () => {
            const reported: string[] = [];
            return { ...repairBackend(folder, (line) => reported.push(line)), reported };
        };

        beforeEach(() => {
            stacks = join(folder, ".pulumi/stacks/hearth");
            mkdirSync(stacks, { recursive: true });
            writeFileSync(join(stacks, "home.json"), cut);
            writeFileSync(join(stacks, "home.json.attrs"), "{}");
        });

        test("is replaced by the previous one, if that is complete", () => {
            writeFileSync(join(stacks, "home.json.bak"), '{"version":3}');

            expect(repaired()).toEqual({
                old: ["home"],
                lost: [],
                reported: [expect.stringMatching(/^Restored: \S+home\.json from \S+home\.json\.bak/)],
            });
            expect(readFileSync(join(stacks, "home.json"), "utf8")).toBe('{"version":3}');
            expect(existsSync(join(stacks, "home.json.attrs"))).toBe(false);
            expect(repaired()).toEqual({ old: [], lost: [], reported: [] });
        });

        test("is set aside and recreated, if its copy is truncated too", () => {
            writeFileSync(join(stacks, "home.json.bak"), cut);

            expect(repaired()).toEqual({
                old: [],
                lost: ["home"],
                reported: [expect.stringMatching(/^Moved: the truncated state to \S+home\.json\.truncated/)],
            });
            expect(readdirSync(stacks)).toEqual(["home.json.truncated"]);
            expect(repaired()).toEqual({ old: [], lost: [], reported: [] });
        });
    });

    test("another host's lock is left, and the message names its owner and the next command", () => {
        take("far", 1, "some-other-machine");

        expect(release).toThrow(/somebody on some-other-machine .*npx pulumi cancel --stack home/s);
        expect(readLocks(folder, "hearth", "home")).toHaveLength(1);
    });
});

test("a plugin without a Pulumi as its parent is orphaned, Pulumi's own or a stand-in", () => {
    const left = [
        running(20, 1, "/root/.pulumi/plugins/resource-command-v1/pulumi-resource-command", "127.0.0.1:2"),
        running(21, 1, "/usr/bin/node", "/cache/pulumi-resource-command.cjs", "127.0.0.1:2"),
    ];
    const others = [
        running(1, 0, "/sbin/init"),
        running(30, 1, "/opt/pulumi/bin/pulumi", "up"),
        running(31, 30, "/usr/bin/node", "/cache/pulumi-resource-random.cjs", "127.0.0.1:3"),
        running(32, 1, "less", "pulumi-resource-kubernetes.log"),
    ];

    expect(orphanedPlugins([...left, ...others])).toEqual(left);
});

const provider = "urn:pulumi:home::hearth::pulumi:providers:kubernetes::home";
const release = (name: string) => ({
    urn: `urn:pulumi:home::hearth::kubernetes:helm.sh/v3:Release::${name}`,
    type: "kubernetes:helm.sh/v3:Release",
    inputs: { name, namespace: `${name}-system` },
    provider: `${provider}::4711`,
});
const object = {
    urn: "urn:pulumi:home::hearth::kubernetes:core/v1:Secret::arr",
    type: "kubernetes:core/v1:Secret",
    inputs: { metadata: { name: "arr-secrets" } },
    provider: `${provider}::4711`,
};
const state: ExportedState = {
    deployment: {
        resources: [
            { urn: provider, type: "pulumi:providers:kubernetes", inputs: { kubeconfig: { plaintext: '"a: 1\\n"' } } },
            release("metallb"),
        ],
        pending_operations: [
            { type: "creating", resource: release("argocd") },
            { type: "updating", resource: release("metallb") },
            { type: "creating", resource: object },
        ],
    },
};

describe("a state whose run was killed", () => {
    test("lists its releases, and those that were being created", () => {
        expect(knownReleases(state)).toEqual([
            { name: "metallb", namespace: "metallb-system", provider, inState: true },
            { name: "argocd", namespace: "argocd-system", provider, inState: false },
        ]);
    });

    test("knows the cluster that they are in", () => {
        expect(kubeconfigOf(state, provider)).toBe("a: 1\n");
    });

    test("keeps every resource when its pending operations are forgotten", () => {
        expect(withoutPending(state)).toEqual({ deployment: { resources: state.deployment.resources } });
    });

    test("of an interrupted first run has no releases", () => {
        expect(knownReleases({ deployment: {} })).toEqual([]);
    });
});

describe("Helm's records of a release", () => {
    const record = (version: string, status: string): ReleaseRecord => ({
        metadata: { name: `v${version}`, labels: { name: "argocd", status, version } },
    });
    const known = { name: "argocd", namespace: "argocd", provider };

    test.each([
        ["in the state and deployed: all stay", true, [record("1", "superseded"), record("2", "deployed")], []],
        [
            "in the state, upgrade interrupted: that revision is removed",
            true,
            [record("1", "deployed"), record("2", "pending-upgrade")],
            ["v2"],
        ],
        [
            "in the state, rollback interrupted: that revision is removed",
            true,
            [record("1", "deployed"), record("3", "pending-rollback")],
            ["v3"],
        ],
        ["in the state and failed: Helm continues from it", true, [record("1", "failed")], []],
        ["not in the state, install interrupted", false, [record("1", "pending-install")], ["v1"]],
        ["not in the state, but deployed", false, [record("1", "deployed")], ["v1"]],
        ["not in the state, and failed", false, [record("1", "failed")], ["v1"]],
        ["not there at all", false, [], []],
    ])("%s", (_, inState, records, expected) => {
        expect(recordsInTheWay({ ...known, inState }, records).map(({ metadata }) => metadata.name)).toEqual(expected);
    });
});

test("resources that a preview would recreate: releases, and generated values of charts", () => {
    const step = (op: string, type: string, name: string, inputs = {}) => ({
        op,
        newState: { urn: `urn:pulumi:home::hearth::${type}::${name}`, type, inputs },
    });
    const generated = ["admin-token", "rpc-secret"].map((key) => ({
        chart: "garage",
        key,
        namespace: "garage",
        rotated: false,
    }));
    const { releases, values } = creationsOf(
        {
            steps: [
                step("create", "kubernetes:helm.sh/v3:Release", "metallb", { name: "metallb", namespace: "lb" }),
                step("same", "kubernetes:helm.sh/v3:Release", "argocd", { name: "argocd", namespace: "argocd" }),
                step("same", "random:index/randomPassword:RandomPassword", "garage-admin-token"),
                step("create", "random:index/randomBytes:RandomBytes", "garage-rpc-secret"),
                step("create", "random:index/randomPassword:RandomPassword", "argocd-redis"),
                { op: "delete" },
            ],
        },
        generated,
    );

    expect(releases).toEqual([{ name: "metallb", namespace: "lb", inState: false }]);
    expect(values).toEqual([generated[1]]);
});

test("missing objects of a release: an existing object has the same kind and name", () => {
    const of = (kind: string, name: string) => ({ kind, metadata: { name } });
    const manifest = [of("CustomResourceDefinition", "pools"), of("Secret", "a"), of("Secret", "b")];

    expect(missingFrom(manifest, [of("Secret", "a"), of("ConfigMap", "b")])).toEqual([
        of("CustomResourceDefinition", "pools"),
        of("Secret", "b"),
    ]);
});

test("a recreated object of a release has Helm's ownership labels and annotations", () => {
    const object = { kind: "Secret", metadata: { name: "a", labels: { app: "metallb" } }, data: {} };

    expect(ownedBy({ name: "metallb", namespace: "lb" }, object)).toEqual({
        kind: "Secret",
        metadata: {
            name: "a",
            labels: { app: "metallb", "app.kubernetes.io/managed-by": "Helm" },
            annotations: { "meta.helm.sh/release-name": "metallb", "meta.helm.sh/release-namespace": "lb" },
        },
        data: {},
    });
});
