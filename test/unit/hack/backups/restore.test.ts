import { chooseCopy, momentOf } from "../../../../hack/backups/choice";
import { endOf, jobFrom, waitsFor } from "../../../../hack/backups/jobs";
import { planStop, writers } from "../../../../hack/backups/stop";
import { cronJob, running, workload } from "./objects";

const claim = "vaultwarden-data";
const own = { "app.kubernetes.io/name": "vaultwarden" };

test("stops workloads that mount the claim and records how to start them again; the rest of the chart keeps running", () => {
    const plan = planStop(
        {
            workloads: [
                workload("Deployment", "vaultwarden", claim, 2),
                workload("StatefulSet", "index", claim, 0),
                workload("Deployment", "web", "other-claim"),
            ],
            cronJobs: [cronJob("backup", claim), cronJob("restore", claim), cronJob("backup", "other-claim")],
            pods: [running("vaultwarden-1", claim, own)],
        },
        [claim],
    );

    expect(plan).toEqual({
        workloads: [
            { kind: "Deployment", name: "vaultwarden", replicas: 2 },
            { kind: "StatefulSet", name: "index", replicas: 0 },
        ],
        cronJobs: ["vaultwarden-data-backup"],
    });
});

test.each([
    ["a pod that belongs to nothing", [running("debug", claim, {})], [], "debug may write to the volume"],
    [
        "a copy that is being made",
        [running("copy-1", claim, { "hearth/backup": "backup" })],
        [],
        "is reading the volume (backup): retry",
    ],
    ["a DaemonSet", [], [workload("DaemonSet", "agent", claim)], "DaemonSet agent mounts vaultwarden-data"],
])("a restore is rejected while a writer cannot be stopped: %s", (_, pods, workloads, said) => {
    expect(() => planStop({ workloads, cronJobs: [], pods }, [claim])).toThrow(said);
});

test("ignores pods that have ended, and those of another claim or of the restore itself", () => {
    const ended = { ...running("old", claim, own), status: { phase: "Succeeded" } };
    const restore = running("restore", claim, { "hearth/backup": "restore" });
    const pending = { ...running("next", claim, own), status: { phase: "Pending" } };

    expect(writers([ended, restore, running("x", "other", own), pending], [claim])).toEqual([pending]);
});

test("a verb's Job is the CronJob's with more variables in every container, and belongs to no CronJob", () => {
    const given = cronJob("restore", claim);
    const job = JSON.parse(JSON.stringify(jobFrom(given, "x", { ACTION: "undo" })));

    expect(job.metadata).toEqual({
        name: "x",
        namespace: "vaultwarden",
        labels: given.spec.jobTemplate.metadata?.labels,
    });
    const { initContainers, containers } = job.spec.template.spec;
    for (const { env } of [...initContainers, ...containers]) {
        expect(env).toEqual([{ name: "ACTION", value: "undo" }]);
    }
});

test("a verb's variable replaces the CronJob's", () => {
    const given = cronJob("restore", claim);
    const spec = given.spec.jobTemplate.spec.template.spec;
    const withEnv = {
        ...spec,
        containers: [{ name: "swap", env: [{ name: "ACTION", value: "restore" }, { name: "A" }] }],
    };
    const jobTemplate = { ...given.spec.jobTemplate, spec: { template: { spec: withEnv } } };
    const job = JSON.parse(JSON.stringify(jobFrom({ ...given, spec: { jobTemplate } }, "x", { ACTION: "undo" })));

    expect(job.spec.template.spec.containers[0].env).toEqual([{ name: "A" }, { name: "ACTION", value: "undo" }]);
});

const status = (type: string, value = "True") => ({
    metadata: { name: "x", namespace: "y" },
    status: { conditions: [{ type, status: value }] },
});

test.each([
    [status("Complete"), "complete"],
    [status("Failed"), "failed"],
    [status("Failed", "False"), undefined],
    [status("SuccessCriteriaMet"), undefined],
])("the end of a Job: %j", (job, end) => {
    expect(endOf(job)).toBe(end);
});

test("a pending pod reports its reason; one that is about to start reports none", () => {
    const metadata = { name: "x", namespace: "y" };
    const conditions = [{ type: "PodScheduled", status: "False", message: "0/1 nodes are available" }];
    const waiting = (reason: string) => ({
        metadata,
        status: { containerStatuses: [{ name: "x", state: { waiting: { reason, message: "no such image" } } }] },
    });

    expect(waitsFor({ metadata, status: { conditions } })).toBe("0/1 nodes are available");
    expect(waitsFor(waiting("ImagePullBackOff"))).toBe("ImagePullBackOff: no such image");
    expect(waitsFor(waiting("ContainerCreating"))).toBeUndefined();
});

const copy = (time: string, target = "main") => ({ claim: "a/b", copy: time, time, bytes: 1, files: 1, target });
const copies = [
    copy("2026-11-22T03:00:00Z"),
    copy("2026-11-24T03:00:00Z"),
    copy("2026-11-23T03:00:00Z"),
    copy("2026-11-25T03:00:00Z", "second"),
    { ...copy("2026-11-26T03:00:00Z"), claim: "a/c" },
];

test.each([
    [undefined, "main", "2026-11-24T03:00:00Z"],
    [undefined, "second", "2026-11-25T03:00:00Z"],
    ["2026-11-23T03:00:00Z", "main", "2026-11-23T03:00:00Z"],
    ["2026-11-23T02:59:59Z", "main", "2026-11-22T03:00:00Z"],
    ["2026-11-23T03:59:59+01:00", "main", "2026-11-22T03:00:00Z"],
])("the copy that --at %s selects in the target %s is that of %s", (at, target, time) => {
    const moment = at === undefined ? undefined : momentOf(at);

    expect(chooseCopy(copies, { claim: "a/b", at: moment, target }).time).toBe(time);
});

test("a day means its end, in the user's time zone", () => {
    expect(momentOf("2026-11-22")).toBe(new Date(2026, 10, 22, 23, 59, 59, 999).getTime());
    expect(momentOf("2026-11-22 06:00")).toBe(new Date(2026, 10, 22, 6).getTime());
});

test.each(["yesterday", "", "2026-13-01", "2026-11-22 25:00", "22.11.2026", "1"])(
    "an invalid time is rejected with the expected form: %s",
    (text) => {
        expect(() => momentOf(text)).toThrow(/^invalid --at: got ".*", expected a time such as/);
    },
);

test("a time before the first copy lists the existing ones; a claim without copies has its own message", () => {
    expect(() => chooseCopy(copies, { claim: "a/b", at: 0, target: "main" })).toThrow(
        /no copy of a\/b is that old; existing ones:\n {2}2026-11-24/,
    );
    expect(() => chooseCopy(copies, { claim: "x/y", at: undefined, target: "main" })).toThrow("has no copy of x/y");
});
