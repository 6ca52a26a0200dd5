import { failedContainerLines, type PodContainers } from "../../../components/failed-containers";

const image = "docker.io/glanceapp/glance:v0.8.5";

/** A pod of one container, which runs unless the test says otherwise. */
function pod(
    container: Partial<NonNullable<NonNullable<PodContainers["status"]>["containerStatuses"]>[number]>,
    phase = "Running",
    limits: Record<string, string> = { memory: "128Mi" },
): PodContainers {
    return {
        metadata: { name: "glance-5f6d-x2", namespace: "glance" },
        spec: { nodeName: "a1", containers: [{ name: "glance", resources: { limits } }] },
        status: { phase, containerStatuses: [{ name: "glance", image, ready: false, restartCount: 0, ...container }] },
    };
}

const lines = (each: PodContainers) => failedContainerLines([each], "glance");

const ended = (exitCode: number, more: { reason?: string; message?: string } = {}) => ({
    terminated: { exitCode, ...more },
});

describe("a container that is not ready is reported with its pod, node and image", () => {
    const start = `Pod glance-5f6d-x2 on a1: container glance (${image})`;

    test("killed at its memory limit", () => {
        const lastState = ended(137, { reason: "OOMKilled" });
        expect(lines(pod({ lastState, restartCount: 4 }))).toEqual([
            `${start} was killed at its memory limit of 128Mi, 4 restarts`,
        ]);
    });

    test("killed without a limit", () => {
        const lastState = ended(137, { reason: "OOMKilled" });
        expect(lines(pod({ lastState, restartCount: 1 }, "Running", {}))).toEqual([
            `${start} was killed since its node ran out of memory, 1 restart`,
        ]);
    });

    test("exited, with the message that it left", () => {
        const state = ended(1, { reason: "Error", message: "no configuration\n" });
        expect(lines(pod({ state }))).toEqual([`${start} exited with code 1 (no configuration)`]);
    });

    test("an init container", () => {
        const { metadata, spec } = pod({});
        const status = { name: "data", image: "busybox:1", ready: false, restartCount: 2, lastState: ended(2) };
        expect(lines({ metadata, spec, status: { phase: "Pending", initContainerStatuses: [status] } })).toEqual([
            "Pod glance-5f6d-x2 on a1: container data (busybox:1) exited with code 2, 2 restarts",
        ]);
    });
});

test.each([
    ["runs again", pod({ ready: true, lastState: ended(1), restartCount: 1 })],
    ["starts for the first time", pod({})],
    ["has succeeded", pod({ state: ended(0) })],
    ["belongs to a pod that was replaced", pod({ state: ended(137) }, "Failed")],
    ["is in another namespace", { ...pod({ lastState: ended(1) }), metadata: { name: "a", namespace: "b" } }],
])("a container that %s is not reported", (_, each) => {
    expect(lines(each)).toEqual([]);
});
