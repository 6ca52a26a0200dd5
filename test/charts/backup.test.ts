import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { readApplications } from "../../components/applications";
import { namespacesWithClaims } from "../../components/backup";
import { root } from "../../lib/root";
import { copiesValues } from "./copies";
import { expectGolden, goldenTest } from "./golden";
import { containers, ofKind, workloads } from "./manifest";
import { charts, chartsDirectory, renderedCharts } from "./workspace";

const rendered = renderedCharts(copiesValues);
const manifests = (chart: string) => rendered.get(chart) ?? [];
const all = () => charts.flatMap((chart) => manifests(chart));

interface Claim {
    readonly keep?: boolean;
    readonly backup?: { readonly skip?: string };
}

interface Values {
    readonly workloads: Readonly<
        Record<string, { readonly volumes?: Readonly<Record<string, { readonly claim?: Claim }>> }>
    >;
}

/** Every claim in the charts' values, by namespace and name. */
const claims: readonly (readonly [name: string, chart: string, claim: Claim])[] = charts.flatMap((chart) => {
    const values = parse(readFileSync(join(chartsDirectory, chart, "values.yaml"), "utf8"), { merge: true }) as Values;
    return Object.entries(values.workloads ?? {}).flatMap(([workload, { volumes }]) =>
        Object.entries(volumes ?? {}).flatMap(([volume, { claim }]) =>
            claim ? [[`${workload}-${volume}`, chart, claim] as const] : [],
        ),
    );
});

const jobs = (chart: string, kind: string) =>
    ofKind(manifests(chart), "CronJob").filter(({ metadata }) => metadata?.labels?.["hearth/backup"] === kind);

test(goldenTest("a chart with copies renders golden/backup.yaml, whatever the versions of its images"), () => {
    const objects = manifests("vaultwarden").filter(
        // The scripts are tested unchanged.
        ({ kind, metadata }) => kind === "CronJob" || (metadata.name === "backup" && kind !== "ConfigMap"),
    );
    const text = objects.map((each) => stringify(each)).join("---\n");
    const withoutVersions = text
        .replace(/^( *(?:- )?image: [^\s:]+:)\S+/gm, "$1<tag>")
        .replace(/^( *app\.kubernetes\.io\/version: ).*/gm, "$1<tag>");
    expectGolden("backup.yaml", withoutVersions.trim().split("\n"));
});

test("Git and Argo CD see no secret in the values", () => {
    expect(JSON.stringify(copiesValues)).not.toContain("hidden");
});

test.each(claims.map(([name, chart, claim]) => [`${chart}/${name}`, chart, name, claim] as const))(
    "%s is backed up, or its chart explains why not",
    (_, chart, name, { keep, backup }) => {
        const copied = keep !== false && backup?.skip === undefined;
        const found = ["backup", "drill", "restore"].map((kind) =>
            jobs(chart, kind).some(({ metadata }) => metadata?.labels?.["hearth/claim"] === name),
        );

        expect(found).toEqual([copied, copied, copied]);
    },
);

test("gives every namespace with backups, and no other, access to the target", () => {
    const applications = readApplications(root, "home");
    const copied = applications.filter(({ name }) => jobs(name, "backup").length > 0);

    expect(namespacesWithClaims(root, applications).sort()).toEqual(
        [...new Set(copied.map(({ namespace }) => namespace))].sort(),
    );
});

test("backs up databases, passwords, photos and Git, but not metrics, logs, caches and dumps", () => {
    const copied = charts.flatMap((chart) =>
        jobs(chart, "backup").map(({ metadata }) => `${chart}/${metadata?.labels?.["hearth/claim"]}`),
    );

    for (const each of [
        "monitoring/prometheus-data",
        "monitoring/loki-data",
        "jellyfin/jellyfin-cache",
        "database/dump-dumps",
    ]) {
        expect(copied).not.toContain(each);
    }
    for (const each of [
        "database/postgres-data",
        "vaultwarden/vaultwarden-data",
        "gitops/gitea-data",
        "immich/immich-library",
    ]) {
        expect(copied).toContain(each);
    }
});

test("a copy runs as its service's user, reads the volume only, and yields to everything else", () => {
    for (const chart of charts) {
        for (const { spec } of jobs(chart, "backup")) {
            const pod = spec?.jobTemplate.spec?.template.spec;
            const [container] = pod?.containers ?? [];
            const claim = spec?.jobTemplate.metadata?.labels?.["hearth/claim"];
            const owner = workloads(manifests(chart)).find(
                ({ template, kind }) =>
                    kind !== "CronJob" &&
                    template.spec?.volumes?.some((each) => each.persistentVolumeClaim?.claimName === claim),
            );

            expect(pod?.securityContext).toEqual(owner?.template.spec?.securityContext);
            expect(pod?.priorityClassName).toBe("backup");
            expect(spec?.concurrencyPolicy).toBe("Forbid");
            expect(
                container?.volumeMounts?.filter(({ readOnly }) => readOnly !== true).map(({ name }) => name),
            ).toEqual(["tmp"]);
        }
    }
});

test("spreads copies over the configured hours of the night", () => {
    const times = charts.flatMap((chart) => jobs(chart, "backup").map(({ spec }) => spec?.schedule.split(" ") ?? []));
    const byHour = [1, 2, 3, 4].map((hour) => times.filter((each) => each[1] === String(hour)).length);

    expect(byHour.reduce((sum, each) => sum + each)).toBe(times.length);
    expect(Math.max(...byHour)).toBeLessThan(times.length / 2);
});

test("restores an empty volume before any other container of its pod starts", () => {
    const having = workloads(all()).filter(({ template, kind }) => {
        const names = template.spec?.volumes?.map((each) => each.persistentVolumeClaim?.claimName ?? "") ?? [];
        return kind !== "CronJob" && kind !== "Job" && names.some((name) => name !== "media" && name !== "");
    });
    const without = having
        .filter(({ template }) => !template.spec?.initContainers?.[0]?.name.startsWith("restore-"))
        .map(({ name }) => name);

    // One service whose volumes can all be recreated, and one with a name server in its own pod.
    expect(without.sort()).toEqual(["loki", "machine-learning", "prometheus", "qbittorrent"]);
});

test("only pods that copy or restore get the repository's address and credentials, and nothing else", () => {
    for (const { template, name } of workloads(all())) {
        const mounting = [...(template.spec?.initContainers ?? []), ...(template.spec?.containers ?? [])].filter(
            ({ volumeMounts }) => volumeMounts?.some(({ mountPath }) => mountPath === "/target"),
        );

        expect([name, template.metadata?.labels?.["hearth/backup-target"]]).toEqual([
            name,
            mounting.length > 0 ? "true" : undefined,
        ]);
        for (const { image } of mounting) {
            expect(image).toMatch(
                /^docker\.io\/(restic\/restic|immich-app|library\/busybox)|^ghcr\.io\/immich-app\/postgres/,
            );
        }
    }
    for (const policy of ofKind(all(), "NetworkPolicy").filter(({ metadata }) => metadata?.name === "backup")) {
        const ports = policy.spec?.egress?.flatMap((each) => each.ports?.map(({ port }) => port) ?? []);
        expect([policy.spec?.podSelector?.matchLabels, ports]).toEqual([
            { "hearth/backup-target": "true" },
            [53, 53, 443, 8000],
        ]);
    }
});

test("the health of Applications does not depend on copies", () => {
    const backups = ofKind(all(), "CronJob").filter(({ metadata }) => metadata?.labels?.["hearth/backup"]);
    expect(backups.length).toBeGreaterThan(0);
    for (const { metadata } of backups) {
        expect(metadata?.annotations).toMatchObject({ "argocd.argoproj.io/ignore-healthcheck": "true" });
    }
});

test("backup containers meet their namespace's Pod Security level and have limits", () => {
    for (const { container } of containers(all()).filter(({ container }) =>
        /restic|library\/python/.test(container.image ?? ""),
    )) {
        expect(container.securityContext).toMatchObject({
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
        });
        expect(container.securityContext?.capabilities?.drop).toEqual(["ALL"]);
        // Capabilities that the level baseline allows.
        expect(["CHOWN", "DAC_OVERRIDE", "FOWNER"]).toEqual(
            expect.arrayContaining(container.securityContext?.capabilities?.add ?? []),
        );
        expect(container.resources?.limits?.["memory"]).toBeDefined();
    }
});
