import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodeSchema } from "../../../config/nodes";
import { nodeGroups, type PoweredHome, planPowerOff, recordLines } from "../../../hack/shutdown/plan";
import { publicKey } from "../keys";

const application = (name: string, tier: string, objects: string[], annotations: Record<string, string> = {}) => ({
    metadata: { name, annotations: { "argocd.argoproj.io/sync-wave": tier, ...annotations } },
    spec: { destination: { namespace: name } },
    status: {
        resources: objects.map((each) => {
            const [kind = "", object = ""] = each.split(" ");
            return { kind, namespace: name, name: object };
        }),
    },
});

const workload = (kind: string, namespace: string, name: string, replicas: number) => ({
    kind,
    metadata: { namespace, name },
    spec: { replicas, selector: { matchLabels: { app: name } }, template: { spec: {} } },
});

const cronJob = (namespace: string, name: string, suspend: boolean) => ({
    metadata: { namespace, name },
    spec: { suspend, jobTemplate: { spec: { template: { spec: {} } } } },
});

const home: PoweredHome = {
    applications: [
        application("database", "1", ["StatefulSet postgres", "CronJob dump"]),
        application("cert-manager", "1", ["Deployment controller"]),
        application("garage", "2", ["StatefulSet garage"]),
        application("immich", "3", ["Deployment server", "Deployment stopped", "CronJob paused"]),
        application("restoring", "3", ["Deployment restoring"], { "argocd.argoproj.io/skip-reconcile": "true" }),
        { metadata: { name: "root" }, spec: { destination: { namespace: "argocd" } } },
    ],
    workloads: [
        workload("StatefulSet", "database", "postgres", 1),
        workload("Deployment", "cert-manager", "controller", 2),
        workload("StatefulSet", "garage", "garage", 3),
        workload("Deployment", "immich", "server", 1),
        workload("Deployment", "immich", "stopped", 0),
        workload("Deployment", "restoring", "restoring", 0),
        workload("Deployment", "argocd", "argocd-server", 1),
    ],
    cronJobs: [cronJob("database", "dump", false), cronJob("immich", "paused", true)],
};

test("tiers stop from 3 to 1 and databases last; Argo CD itself, and stopped workloads, are skipped", () => {
    const steps = planPowerOff(home, []).map(({ name, applications, workloads, cronJobs }) => ({
        name,
        applications,
        workloads: workloads.map((each) => `${each.workload.metadata.name} ${each.replicas}`),
        cronJobs: cronJobs.map(({ metadata }) => metadata.name),
    }));
    expect(steps).toEqual([
        { name: "tier 3", applications: ["immich"], workloads: ["server 1"], cronJobs: [] },
        { name: "tier 2", applications: ["garage"], workloads: ["garage 3"], cronJobs: [] },
        { name: "tier 1", applications: ["cert-manager"], workloads: ["controller 2"], cronJobs: [] },
        { name: "databases", applications: ["database"], workloads: ["postgres 1"], cronJobs: ["dump"] },
    ]);
});

test("the record starts databases first and waits for them, then the tiers in order", () => {
    expect(recordLines(planPowerOff(home, []))).toEqual([
        "scale database statefulset/postgres 1",
        "resume database cronjob/dump",
        "reconcile argocd application.argoproj.io/database",
        "wait database statefulset/postgres",
        "scale cert-manager deployment/controller 2",
        "reconcile argocd application.argoproj.io/cert-manager",
        "wait cert-manager deployment/controller",
        "scale garage statefulset/garage 3",
        "reconcile argocd application.argoproj.io/garage",
        "wait garage statefulset/garage",
        "scale immich deployment/server 1",
        "reconcile argocd application.argoproj.io/immich",
        "wait immich deployment/server",
    ]);
});

test("a run after an interrupted one, at any point, has the same record", () => {
    const record = recordLines(planPowerOff(home, []));
    const paused = { "argocd.argoproj.io/skip-reconcile": "true" };
    const stopped: PoweredHome = {
        applications: home.applications.map((each) => ({
            ...each,
            metadata: { ...each.metadata, annotations: { ...each.metadata.annotations, ...paused } },
        })),
        workloads: home.workloads.map((each) => ({ ...each, spec: { ...each.spec, replicas: 0 } })),
        cronJobs: home.cronJobs.map((each) => ({ ...each, spec: { ...each.spec, suspend: true } })),
    };
    const { applications, workloads, cronJobs } = stopped;
    for (const state of [home, stopped, { ...home, workloads }, { ...home, applications }, { ...home, cronJobs }]) {
        expect(recordLines(planPowerOff(state, record))).toEqual(record);
    }
});

test("agents are shut down first, servers after them, and last the nodes that others need", () => {
    const disk = { device: "/dev/disk/by-id/a", size: "4TB", serial: "a" };
    const nodes = [
        { name: "s1", role: "server" },
        { name: "nas", role: "agent", disks: [disk] },
        { name: "a1", role: "agent" },
        { name: "s2", role: "server" },
        { name: "gate", role: "server" },
    ].map((each, index) =>
        nodeSchema.parse({ address: `10.0.0.${index + 1}`, user: "root", hostKey: publicKey, ...each }),
    );
    expect(nodeGroups(nodes, ["10.0.0.5", undefined]).map((group) => group.map(({ name }) => name))).toEqual([
        ["a1"],
        ["s1", "s2"],
        ["nas", "gate"],
    ]);
});

describe("the script that starts a home again", () => {
    const folder = mkdtempSync(join(tmpdir(), "hearth-power-"));
    const script = join(folder, "power-on");

    afterAll(() => rmSync(folder, { recursive: true }));

    /** Runs it with a k3s whose answers are these lines of a `case`. */
    function start(answers: string) {
        const log = join(folder, "calls");
        rmSync(log, { force: true });
        copyFileSync("hack/shutdown/power-on.sh", script);
        const k3s = `#!/bin/sh\nshift\necho "$*" >> ${log}\ncase "$*" in\n${answers}\nesac\n`;
        writeFileSync(join(folder, "k3s"), k3s, { mode: 0o755 });
        writeFileSync(join(folder, "systemctl"), "#!/bin/sh\n", { mode: 0o755 });
        const { status } = spawnSync("sh", [script], { env: { PATH: `${folder}:${process.env["PATH"]}` } });
        return { status, calls: readFileSync(log, "utf8").trim().split("\n"), again: existsSync(script) };
    }

    const record = "*jsonpath*) printf 'scale books deployment/gone 1\\nscale books deployment/kavita 2\\n' ;;";

    test("an object that was deleted meanwhile is skipped, and the rest starts", () => {
        const { status, calls, again } = start(`${record}\n*deployment/gone*) ;;\nget*) echo name ;;`);
        expect({ status, again }).toEqual({ status: 0, again: false });
        expect(calls).toContain("scale --namespace books deployment/kavita --replicas=2");
        expect(calls).not.toContain("scale --namespace books deployment/gone --replicas=1");
        expect(calls.at(-1)).toBe("delete --namespace kube-system configmap/power-off --ignore-not-found");
    });

    test("an API server that fails in between ends the run: the record stays for the next one", () => {
        const { status, calls, again } = start(`${record}\n*deployment/kavita*) exit 1 ;;\nget*) echo name ;;`);
        expect({ status, again }).toEqual({ status: 1, again: true });
        expect(calls.join("\n")).not.toContain("delete");
    });

    test("without a record there is nothing to start", () => {
        const { status, calls } = start("*) ;;");
        expect(status).toBe(0);
        expect(calls.filter((call) => call.startsWith("scale"))).toEqual([]);
    });
});
