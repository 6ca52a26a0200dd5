import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KubeApi } from "../../../sandbox/kube-api";
import { MissingReference, type Pod, resolveEnvironment, writeSecretVolumes } from "../../../sandbox/pod";
import { podToRun } from "../../../sandbox/pod-processes";

const pod = (uid: string, minute: number, status: "True" | "False", deletionTimestamp?: string): Pod => ({
    metadata: {
        name: uid,
        namespace: "web",
        uid,
        creationTimestamp: `2026-01-01T00:0${minute}:00Z`,
        ...(deletionTimestamp && { deletionTimestamp }),
    },
    spec: { containers: [] },
    status: { conditions: [{ type: "Ready", status }] },
});

/** An API server with these objects. */
const serving = (objects: Readonly<Record<string, object>>): KubeApi => ({
    get: async <T>(path: string) => objects[path] as T | undefined,
    close: () => {},
});

test.each([
    ["the newest that is ready", [pod("old", 1, "True"), pod("new", 2, "True")], undefined, "new"],
    ["the old one until the new one is ready", [pod("old", 1, "True"), pod("new", 2, "False")], "old", "old"],
    ["the one that runs, though its node is not ready", [pod("old", 1, "False")], "old", "old"],
    ["none that was never ready", [pod("old", 1, "False")], undefined, undefined],
    ["none that is being deleted", [pod("old", 1, "True", "2026-01-01T01:00:00Z")], "old", undefined],
])("among the pods of a program, runs %s", (_, pods, running, expected) => {
    expect(podToRun(pods, running)?.metadata.uid).toBe(expected);
});

test("a container's environment refers to its own pod, to Secrets, and to earlier variables", async () => {
    const api = serving({ "/api/v1/namespaces/web/secrets/login": { data: { password: "c2VjcmV0" } } });
    const container = {
        name: "web",
        env: [
            { name: "POD", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
            { name: "PASSWORD", valueFrom: { secretKeyRef: { name: "login", key: "password" } } },
            { name: "OPTIONAL", valueFrom: { secretKeyRef: { name: "none", key: "any", optional: true } } },
            { name: "BOTH", value: "$(POD):$(PASSWORD) $(UNKNOWN) $$(POD)" },
        ],
    };
    expect(await resolveEnvironment(api, { name: "web-0", namespace: "web" }, container)).toEqual({
        POD: "web-0",
        PASSWORD: "secret",
        BOTH: "web-0:secret $(UNKNOWN) $(POD)",
    });
});

describe("a container that mounts a Secret", () => {
    const root = mkdtempSync(join(tmpdir(), "hearth-pod-"));
    afterAll(() => rmSync(root, { recursive: true }));
    const container = { name: "web", volumeMounts: [{ name: "tls", mountPath: "/etc/tls" }] };
    const mounting = (optional: boolean): Pod => ({
        ...pod("web", 1, "True"),
        spec: { containers: [container], volumes: [{ name: "tls", secret: { secretName: "tls", optional } }] },
    });

    test("waits until it exists, unless it is optional", async () => {
        await expect(writeSecretVolumes(serving({}), mounting(false), container, root)).rejects.toThrow(
            new MissingReference("Secret tls is missing"),
        );
        await writeSecretVolumes(serving({}), mounting(true), container, root);
    });

    test("has it as files, which follow the Secret", async () => {
        for (const content of ["first", "second"]) {
            const data = { "tls.crt": Buffer.from(content).toString("base64") };
            const api = serving({ "/api/v1/namespaces/web/secrets/tls": { data } });
            await writeSecretVolumes(api, mounting(false), container, root);
            expect(readFileSync(join(root, "etc/tls/tls.crt"), "utf8")).toBe(content);
        }
    });
});
