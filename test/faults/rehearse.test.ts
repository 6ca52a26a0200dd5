import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Rehearsal } from "../../hack/rehearsal/comparison";
import { runningProcesses } from "../../lib/processes";
import { Home, until } from "../sandbox/home";

/** Two `up` of a small home, and the wait for a tier that fails, in milliseconds. */
const limit = 15 * 60_000;

const chart = "charts/kavita";

let home: Home;

/** Folder for the sandboxes of the rehearsals. */
let temporary: string;

/** An object in addition to those that the library renders from a chart's values. */
const template = (name: string, manifest: object) =>
    home.write(`${chart}/templates/${name}.yaml`, `${JSON.stringify(manifest)}\n`);

/** A Deployment of the chart's own, with a label in its selector, which is immutable. */
const helper = (label: string, probe: object = {}) => ({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "helper" },
    spec: {
        selector: { matchLabels: { app: label } },
        template: {
            metadata: { labels: { app: label } },
            spec: {
                securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: "RuntimeDefault" } },
                containers: [
                    {
                        name: "helper",
                        image: "example.com/helper:1",
                        ...probe,
                        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
                    },
                ],
            },
        },
    },
});

beforeAll(async () => {
    temporary = mkdtempSync(join(tmpdir(), "hearth-rehearse-"));
    home = await Home.create();
    home.keepApplications("cert-manager", "garage", "kavita", "qbittorrent");
    template("helper", helper("helper"));
    template("leftover", { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "leftover" } });
    template("scratch", {
        apiVersion: "v1",
        kind: "PersistentVolumeClaim",
        metadata: { name: "scratch" },
        spec: {
            accessModes: ["ReadWriteOnce"],
            storageClassName: "nfs",
            resources: { requests: { storage: "1Gi" } },
        },
    });
    await home.commit("fewer services, and a helper");
}, limit);

afterAll(async () => {
    await home.remove();
    rmSync(temporary, { recursive: true });
}, limit);

/** Makes a failing branch time out early. */
const giveUpEarly = () =>
    home.edit("Pulumi.sandbox.yaml", (text) => text.replace("config:\n", "config:\n  hearth:tierTimeout: 45s\n"));

/** Commits the work tree to a branch and rehearses it. */
async function rehearse(branch: string, change: () => void): Promise<Rehearsal & { readonly code: number | null }> {
    await home.branch(branch);
    change();
    await home.commit(branch);
    const { code, output } = await home.hackInJob({ TMPDIR: temporary }, "rehearse", "--json");
    const start = output.indexOf("\n{\n");
    if (start < 0) {
        throw new Error(output);
    }
    return { code, ...JSON.parse(output.slice(start)) };
}

/** Command lines of processes of the rehearsals. */
const ofRehearsals = () =>
    [...runningProcesses()].map(({ commandLine }) => commandLine).filter((each) => each.includes(temporary));

const edit = (from: string, to: string) =>
    home.edit(`${chart}/values.yaml`, (text) => {
        expect(text).toContain(from);
        return text.replace(from, to);
    });

test(
    "a good branch: restarted services, pruned objects, seconds of its tier",
    async () => {
        const rehearsal = await rehearse("good", () => {
            edit("memory: 256Mi", "memory: 384Mi");
            home.removeFile(`${chart}/templates/leftover.yaml`);
        });
        expect(rehearsal).toMatchObject({
            code: 0,
            good: true,
            late: [],
            refused: [],
            restarts: ["kavita/kavita"],
            pruned: ["ConfigMap kavita/leftover"],
            lostClaims: [],
            leftClaims: [],
            untried: [],
            tiers: [
                { tier: 1, synced: 0 },
                { tier: 2, synced: 0 },
                { tier: 3, synced: 1, seconds: expect.any(Number) },
            ],
        });
    },
    limit,
);

test(
    "an immutable field: the Application, the object, and the API server's words",
    async () => {
        const rehearsal = await rehearse("immutable", () => {
            giveUpEarly();
            template("helper", helper("assistant"));
        });
        expect(rehearsal).toMatchObject({
            code: 3,
            good: false,
            late: [{ name: "kavita", tier: 3 }],
            refused: [
                {
                    application: "kavita",
                    object: "Deployment kavita/helper",
                    message: expect.stringContaining("field is immutable"),
                },
            ],
            restarts: [],
        });
    },
    limit,
);

test(
    "a claim that shrinks is rejected; one that leaves its chart and is not kept is lost",
    async () => {
        const rehearsal = await rehearse("shrink", () => {
            giveUpEarly();
            edit("size: 10Gi", "size: 5Gi");
            home.removeFile(`${chart}/templates/scratch.yaml`);
        });
        expect(rehearsal).toMatchObject({
            code: 3,
            good: false,
            late: [{ name: "kavita" }],
            refused: [
                { object: "PersistentVolumeClaim kavita/kavita-config", message: expect.stringMatching(/forbidden/i) },
            ],
            lostClaims: ["kavita/scratch"],
        });
    },
    limit,
);

test(
    "a probe that never passes: kubelets are simulated, so it is found by its port; others are listed as not tried",
    async () => {
        // The library rejects such a port in a chart's values.
        const probe = { readinessProbe: { httpGet: { path: "/", port: "nowhere" } } };
        const rehearsal = await rehearse("probe", () => template("helper", helper("helper", probe)));
        expect(rehearsal).toMatchObject({
            code: 3,
            good: false,
            late: [],
            untried: [
                {
                    workload: "kavita/helper",
                    parts: ["helper: its probes change"],
                    neverPass: ["readinessProbe of helper uses the port nowhere, which the container does not name"],
                },
            ],
        });
    },
    limit,
);

test(
    "Ctrl-C ends a rehearsal, and removes its sandboxes",
    async () => {
        await home.branch("interrupted");
        await home.emptyCommit("nothing");
        const child = spawn(join(home.root, "hack/rehearse"), {
            env: { ...process.env, TMPDIR: temporary },
            // A separate process group, as for each command of a terminal.
            detached: true,
            stdio: "ignore",
        });
        const ended = once(child, "exit");
        await until("its API server runs", limit, async () =>
            ofRehearsals().some((each) => each.includes("apiserver")),
        );
        process.kill(-Number(child.pid), "SIGINT");
        expect(await ended).toEqual([130, null]);
        expect(ofRehearsals()).toEqual([]);
        expect(readdirSync(temporary)).toEqual([]);
    },
    limit,
);

test("no trace of the sandboxes is left", () => {
    expect(ofRehearsals()).toEqual([]);
    expect(readdirSync(temporary)).toEqual([]);
});
