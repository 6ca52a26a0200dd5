import { marker, previewComment, rehearsalLimit } from "../../../hack/preview/comment";
import { withRehearsal } from "../../../hack/preview/gitea";
import { type Comparison, compare, type Rehearsal } from "../../../hack/rehearsal/comparison";
import { formatRehearsal, rehearsalSection } from "../../../hack/rehearsal/format";
import type {
    Claim,
    ManagedObject,
    Observation,
    RehearsedApplication,
    Workload,
} from "../../../hack/rehearsal/observation";

const [base, head] = ["b".repeat(40), "a".repeat(40)];
const started = Date.parse("2026-11-30T12:00:00.400Z");

const object = (kind: string, name: string, more: Partial<ManagedObject> = {}): ManagedObject => ({
    ...{ kind, name, namespace: "books", status: "Synced" },
    ...more,
});

const application = (status: RehearsedApplication["status"] = {}): RehearsedApplication => ({
    metadata: { name: "kavita", namespace: "argocd", uid: "1" },
    spec: { destination: { namespace: "books" } },
    status: { sync: { status: "Synced", revisions: [head] }, health: { status: "Healthy" }, ...status },
});

const claim = (name: string, uid: string, kept = true): Claim => ({
    metadata: {
        ...{ name, uid, namespace: "books" },
        ...(kept && { annotations: { "argocd.argoproj.io/sync-options": "Prune=false,Delete=false" } }),
    },
});

const workload = (changes: object = {}, claimName = "config", uid = "w"): Workload => ({
    kind: "Deployment",
    metadata: { name: "kavita", namespace: "books", uid },
    spec: {
        template: {
            spec: {
                containers: [
                    {
                        name: "main",
                        image: "kavita:1",
                        ports: [{ name: "http", containerPort: 5000 }],
                        readinessProbe: { httpGet: { port: "http" } },
                        ...changes,
                    },
                ],
                volumes: [{ persistentVolumeClaim: { claimName } }],
            },
        },
    },
});

const observation = (changes: Partial<Observation> = {}): Observation => ({
    applications: [application()],
    workloads: [workload()],
    claims: [claim("config", "c1")],
    events: [],
    ...changes,
});

const declared = [{ name: "kavita", tier: 3, namespace: "books" }] as unknown as Comparison["declared"];

const rehearsal = (after: Partial<Observation>, before: Partial<Observation> = {}, more: Partial<Comparison> = {}) =>
    compare({
        ...{ base, head, declared, started, seconds: 12 },
        ...{ before: observation(before), after: observation(after), ...more },
    });

test("a branch without changes passes, and has nothing to list", () => {
    expect(rehearsal({})).toEqual({
        ...{ base, head, good: true, seconds: 12 },
        ...{ tiers: [{ tier: 3, synced: 0 }], late: [], refused: [], restarts: [], pruned: [] },
        ...{ lostClaims: [], leftClaims: [], untried: [] },
    });
});

test("seconds of a tier: from its first sync to the last change of health, only of this branch", () => {
    const synced = application({
        health: { status: "Healthy", lastTransitionTime: "2026-11-30T12:00:21Z" },
        operationState: { startedAt: "2026-11-30T12:00:04Z", finishedAt: "2026-11-30T12:00:09Z" },
    });
    expect(rehearsal({ applications: [synced] }).tiers).toEqual([{ tier: 3, synced: 1, seconds: 17 }]);
    const earlier = application({
        operationState: { startedAt: "2026-11-30T11:59:00Z", finishedAt: "2026-11-30T11:59:09Z" },
    });
    expect(rehearsal({ applications: [earlier] }).tiers).toEqual([{ tier: 3, synced: 0 }]);
});

test("a claim of a chart: kept, deleted, recreated, about to be pruned, or no longer mounted", () => {
    const leaves = (name: string) => ({
        applications: [application({ resources: [object("PersistentVolumeClaim", name, { requiresPruning: true })] })],
    });
    const has = (name: string) => ({
        applications: [application({ resources: [object("PersistentVolumeClaim", name)] })],
    });
    const claimsOf = ({ lostClaims, leftClaims, pruned, good }: Rehearsal) => ({
        lostClaims,
        leftClaims,
        pruned,
        good,
    });
    const pruned = ["PersistentVolumeClaim books/config"];
    const mounted = "books/config";

    expect(claimsOf(rehearsal(leaves("config"), has("config")))).toMatchObject({
        lostClaims: [],
        pruned: [],
        good: true,
    });
    expect(claimsOf(rehearsal({ claims: [] }, has("config")))).toEqual({
        ...{ lostClaims: [mounted], leftClaims: [], pruned, good: false },
    });
    expect(rehearsal({ claims: [claim("config", "c2")] })).toMatchObject({ lostClaims: [mounted], good: false });
    const unkept = { claims: [claim("config", "c1", false)] };
    expect(claimsOf(rehearsal({ ...leaves("config"), ...unkept }, { ...has("config"), ...unkept }))).toMatchObject({
        ...{ lostClaims: [mounted], pruned, good: false },
    });
    const renamed = { workloads: [workload({}, "settings")] };
    expect(rehearsal(renamed)).toMatchObject({ leftClaims: [mounted], lostClaims: [], good: false });
    // A removed service leaves them on purpose.
    expect(rehearsal({ workloads: [] }, {}, { declared: [] })).toMatchObject({ leftClaims: [mounted], good: true });
});

test("a workload restarts when its template changes or it is recreated, not when it is stopped", () => {
    const more = workload({ image: "kavita:2" });
    expect(rehearsal({ workloads: [more] }).restarts).toEqual(["books/kavita"]);
    expect(rehearsal({ workloads: [workload({}, "config", "w2")] }).restarts).toEqual(["books/kavita"]);
    const stopped: Workload = { ...workload(), spec: { ...workload().spec, replicas: 0 } };
    expect(rehearsal({ workloads: [more] }, { workloads: [stopped] }).restarts).toEqual([]);
});

test("a late Application: rejected objects and reasons; a missing one waits for a tier", () => {
    const late = application({
        sync: { status: "OutOfSync", revisions: [base] },
        operationState: {
            phase: "Failed",
            message: "one or more objects failed to apply",
            syncResult: {
                resources: [object("Deployment", "kavita", { status: "SyncFailed" }), object("Service", "kavita")].map(
                    (each) => ({ ...each, message: "field is immutable" }),
                ),
            },
        },
    });
    expect(rehearsal({ applications: [late] }, {}, { failure: "error: update failed" })).toMatchObject({
        good: false,
        late: [
            {
                ...{ name: "kavita", tier: 3, sync: "OutOfSync", health: "Healthy" },
                reasons: ["it is not on the branch's commit", "last sync Failed: one or more objects failed to apply"],
            },
        ],
        refused: [{ application: "kavita", object: "Deployment books/kavita", message: "field is immutable" }],
    });
    expect(rehearsal({ applications: [] }).late).toMatchObject([
        { name: "kavita", reasons: ["it does not exist: an earlier tier is not ready"] },
    ]);
});

test("a program that fails although every Application is ready is shown", () => {
    expect(rehearsal({}, {}, { failure: "error: no such release" })).toMatchObject({
        ...{ good: false, program: "error: no such release" },
    });
});

test("images and probes that need a kubelet are listed; a probe of a missing port never passes", () => {
    const untried = (changes: object) => rehearsal({ workloads: [workload(changes)] });
    expect(untried({ image: "kavita:2" }).untried).toEqual([
        { workload: "books/kavita", parts: ["main: image kavita:1 becomes kavita:2"], neverPass: [] },
    ]);
    expect(untried({ readinessProbe: { tcpSocket: { port: "web" } } })).toMatchObject({
        good: false,
        untried: [
            {
                parts: ["main: its probes change"],
                neverPass: ["readinessProbe of main uses the port web, which the container does not name"],
            },
        ],
    });
    expect(untried({ readinessProbe: { httpGet: { port: 81 } } })).toMatchObject({
        good: true,
        untried: [
            {
                parts: [
                    "main: its probes change",
                    "readinessProbe of main uses port 81, which the container does not declare",
                ],
                neverPass: [],
            },
        ],
    });
    expect(rehearsal({}, { workloads: [] }).untried).toMatchObject([
        { parts: ["main is new: image kavita:1 and its probes"] },
    ]);
});

test("a service that does not fit on the home's nodes fails a rehearsal; one that moves does not", () => {
    const service = {
        ...{ service: "books/kavita", pods: 1, before: 0, after: [0, 0] as const, moves: [], volumes: [] },
        reasons: ["0/2 nodes are available: 2 Insufficient memory"],
    };
    const none = { stops: [], mayStop: [], reduced: [], moves: [], starts: [], waiting: [], unfit: [] };
    const restore = { services: [], claims: [], seconds: 0, undrilled: [], uncopied: [] };
    const bad = rehearsal({}, {}, { home: { ...none, unfit: [service], restore } });
    expect(bad.good).toBe(false);
    expect(formatRehearsal(bad)).toContain(
        "On the home's nodes\n  Does not fit\n    books/kavita  0 of 1 pod  0/2 nodes are available: 2 Insufficient memory\n",
    );
    const moved = {
        ...service,
        before: 1,
        after: [1, 1] as const,
        moves: [{ pod: "kavita", from: "nas", to: ["pi"] }],
    };
    expect(rehearsal({}, {}, { home: { ...none, moves: [moved], restore } }).good).toBe(true);
});

test("a rehearsal as text, and in the comment, where a later one replaces it", () => {
    const bad = rehearsal({ claims: [] });
    expect(formatRehearsal(bad)).toBe(
        [
            "Rehearsal of aaaaaaaaaa over bbbbbbbbbb: do not merge it as it is (pulumi up: 12 s)",
            "",
            "Lost claims, with their volumes",
            "  books/config",
            "",
            "Tiers",
            "  3: nothing to sync",
        ].join("\n"),
    );
    const preview = previewComment([], { created: 0, updated: 0, deleted: 0, diff: "" }, head);
    const once = withRehearsal(preview, rehearsalSection(bad, rehearsalLimit));
    expect(once.startsWith(`${preview}\n\n`)).toBe(true);
    expect(once).toContain("### Rehearsal of aaaaaaaaaa");
    const twice = withRehearsal(once, rehearsalSection(rehearsal({}), rehearsalLimit));
    expect(twice).not.toContain("books/config");
    expect(twice.startsWith(`${preview}\n\n`)).toBe(true);
    expect(withRehearsal("", "section").startsWith(marker)).toBe(true);
    const colored = rehearsalSection({ ...bad, restarts: ["\u001b[1mbooks\u001b[22m/kavita"] }, rehearsalLimit);
    expect(colored).toContain("  books/kavita\n");
    const many = { ...bad, restarts: Array.from({ length: 2_000 }, (_, index) => `books/${index}`) };
    expect(rehearsalSection(many, rehearsalLimit).length).toBeLessThanOrEqual(rehearsalLimit);
});
