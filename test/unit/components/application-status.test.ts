import { explainFailure, isReady, warningLines } from "../../../components/application-status";

describe("reasons why an Application is not ready", () => {
    test("names the Application, its tier, its state, the reason and the next command", () => {
        const text = explainFailure("jellyfin", "tier 3", {
            sync: { status: "Synced", revisions: ["0123456789abcdef"] },
            health: { status: "Degraded", message: 'Deployment "jellyfin" exceeded its progress deadline' },
        });
        expect(text).toMatch(/Application jellyfin \(tier 3\) .* sync Synced at 0123456, health Degraded/);
        expect(text).toContain('Deployment "jellyfin" exceeded its progress deadline');
        expect(text).toContain("kubectl -n argocd describe application jellyfin");
    });

    test("a sync without retries left: its message is in the operation, not in the sync status", () => {
        const text = explainFailure("garage", "tier 2", {
            sync: { status: "OutOfSync" },
            health: { status: "Healthy" },
            operationState: { phase: "Failed", message: "one or more objects failed to apply (retried 5 times)." },
        });
        expect(text).toContain("last sync Failed: one or more objects failed to apply (retried 5 times).");
    });

    test("a chart that does not render", () => {
        const text = explainFailure("garage", "tier 2", {
            sync: { status: "Unknown" },
            health: { status: "Healthy" },
            conditions: [{ type: "ComparisonError", message: "values don't meet the specifications of the schema" }],
        });
        expect(text).toContain("ComparisonError: values don't meet the specifications of the schema");
    });

    test("the resources that are OutOfSync, but no others", () => {
        const text = explainFailure("arr", "tier 3", {
            sync: { status: "OutOfSync" },
            health: { status: "Progressing" },
            resources: [
                { kind: "Deployment", name: "sonarr", status: "Synced" },
                { kind: "ConfigMap", name: "radarr", status: "OutOfSync" },
            ],
        });
        expect(text).toContain("ConfigMap radarr is OutOfSync");
        expect(text).not.toContain("sonarr");
    });

    test("Kubernetes' warnings in its namespace, the newest three", () => {
        const text = explainFailure("arr", "tier 3", { health: { status: "Progressing" } }, [
            "one",
            "two",
            "three",
            "four",
        ]);
        expect(text).toMatch(/one\n {2}two\n {2}three\n/);
        expect(text).not.toContain("four");
    });

    test("images that are still being pulled, and the next step when that takes long", () => {
        const pod = (name: string) => ({ kind: "Pod", name, namespace: "immich" });
        const event = (reason: string, name: string, image: string, lastTimestamp: string) => ({
            ...{ type: "Normal", involvedObject: pod(name), reason, lastTimestamp },
            message: `${reason === "Pulled" ? "Successfully pulled" : "Pulling"} image "${image}"`,
        });
        const lines = warningLines(
            [
                event("Pulling", "ml-1", "ghcr.io/ml:1", "2026-11-30T08:00:00Z"),
                event("Pulling", "server-1", "ghcr.io/server:1", "2026-11-30T08:00:00Z"),
                event("Pulled", "server-1", "ghcr.io/server:1", "2026-11-30T08:04:00Z"),
                event("Pulling", "new-1", "ghcr.io/new:1", "2026-11-30T08:05:50Z"),
                { ...event("Pulling", "other-1", "ghcr.io/other:1", "2026-11-30T08:00:00Z"), involvedObject: {} },
            ],
            "immich",
            Date.parse("2026-11-30T08:06:00Z"),
        );
        expect(lines).toEqual(["Pod ml-1: still pulling the image ghcr.io/ml:1, for 6 min"]);
        const text = explainFailure("immich", "tier 3", { health: { status: "Progressing" } }, lines);
        expect(text).toContain(`  ${lines[0]}\n`);
        expect(text).toMatch(/rerun `pulumi up` once the images are present.*hearth:tierTimeout 1h$/);
    });

    test("a failed image pull is reported only by its Warning", () => {
        const involvedObject = { kind: "Pod", name: "a", namespace: "a" };
        const message = 'Failed to pull image "x:1": not found';
        expect(
            warningLines(
                [
                    {
                        involvedObject,
                        reason: "Pulling",
                        message: 'Pulling image "x:1"',
                        lastTimestamp: "2026-11-30T08:00:00Z",
                    },
                    { involvedObject, reason: "Failed", message, lastTimestamp: "2026-11-30T08:01:00Z" },
                ],
                "a",
                Date.parse("2026-11-30T08:06:00Z"),
            ),
        ).toEqual([`Pod a: Failed: ${message}`]);
    });

    test("an Application that is being deleted, and how to recreate it", () => {
        const since = new Date("2026-11-25T15:00:00Z");
        const ready = { sync: { status: "Synced" }, health: { status: "Healthy" } };
        expect(explainFailure("arr", "tier 3", ready, [], since)).toMatch(
            /in deletion since 2026-11-25T15:00:00.000Z: .*finalizer .*`pulumi up --refresh`/,
        );
    });

    test("an Application that Argo CD has not processed yet", () => {
        expect(explainFailure("arr", "tier 3", undefined)).toContain("is its application controller running?");
    });
});

describe("a kubelet's warnings", () => {
    const warning = (reason: string, message: string, seconds: number) => ({
        involvedObject: { kind: "Pod", name: "glance-5f6d-x2", namespace: "glance" },
        reason,
        message,
        source: { host: "a1" },
        lastTimestamp: new Date(seconds * 1_000),
    });
    const pull = 'Failed to pull image "docker.io/glanceapp/glance:v0.9.9": not found';

    test("a failed image pull is reported with its pod and node, though its repeats are newer", () => {
        const events = [
            warning("Failed", pull, 1),
            warning("Failed", "Error: ErrImagePull", 2),
            warning("Failed", "Error: ImagePullBackOff", 3),
        ];
        expect(warningLines(events, "glance")).toEqual([`Pod glance-5f6d-x2 on a1: Failed: ${pull}`]);
    });

    test("attempts to reach a registry that is unreachable are one line, the last one", () => {
        const attempt = (port: number) =>
            `Failed to pull image "docker.io/glanceapp/glance:v0.9.9": read udp 127.0.0.1:${port}->127.0.0.1:53: refused`;
        const events = [42729, 44927, 57103].map((port, index) => warning("Failed", attempt(port), index));
        expect(warningLines(events, "glance")).toEqual([`Pod glance-5f6d-x2 on a1: Failed: ${attempt(57103)}`]);
    });

    test("an Event from a component other than a kubelet names no node", () => {
        const { source: _, ...event } = warning("FailedScheduling", "0/3 nodes are available", 1);
        expect(warningLines([event], "glance")).toEqual([
            "Pod glance-5f6d-x2: FailedScheduling: 0/3 nodes are available",
        ]);
    });
});

describe("an Application is ready", () => {
    const ready = { sync: { status: "Synced", revisions: ["c0ffee"] }, health: { status: "Healthy" } };

    test.each([
        ["Synced and Healthy on the commit", ready, true],
        ["the same with one source", { ...ready, sync: { status: "Synced", revision: "c0ffee" } }, true],
        ["Healthy but OutOfSync", { ...ready, sync: { ...ready.sync, status: "OutOfSync" } }, false],
        ["Synced but Progressing", { ...ready, health: { status: "Progressing" } }, false],
        ["on the commit before", { ...ready, sync: { ...ready.sync, revisions: ["badbeef"] } }, false],
        ["not processed", undefined, false],
    ])("when it is %s: %#", (_, status, expected) => {
        expect(isReady(status, "c0ffee")).toBe(expected);
    });
});
