import { resolve } from "node:path";
import { type Application, readApplications } from "../../../components/applications";
import { Tier } from "../../../components/tier";
import { parseSettings } from "../../../config/settings";
import { byType, mockEngine, settled } from "./mocks";

const settings = parseSettings({
    stack: "test",
    values: {
        domain: "home.example.com",
        kubeconfig: "/dev/null",
        repository: '{"url":"https://git.home.arpa/home.git","revision":"trunk"}',
        loadBalancer: '{"addresses":["10.0.0.1-10.0.0.9"]}',
        nfs: '{"server":"nas","path":"/export"}',
        tierTimeout: "3m",
    },
    secretKeys: new Set(),
});

const application = (name: string, tier: 1 | 2 | 3): Application => ({
    name,
    namespace: name,
    tier,
    small: [],
    manifest: {
        apiVersion: "argoproj.io/v1alpha1",
        kind: "Application",
        metadata: { name, namespace: "argocd", annotations: { "argocd.argoproj.io/sync-wave": `${tier}` } },
        spec: {
            destination: { namespace: name },
            syncPolicy: { automated: {} },
            sources: [
                {
                    repoURL: "literal",
                    targetRevision: "main",
                    path: `charts/${name}`,
                    helm: { valuesObject: { global: { domain: "home.arpa" } } },
                },
            ],
        },
    },
});

test("a tier registers its own Applications, gated on revision, sync and health", async () => {
    const registered = await mockEngine();
    const applications = [application("database", 1), application("garage", 2), application("jellyfin", 3)];
    new Tier("tier-2", { tier: 2, applications, settings, kubeconfig: "/dev/null", revision: "c0ffee" });
    await settled();

    const found = byType(registered, "kubernetes:argoproj.io/v1alpha1:Application");
    expect(Object.keys(found)).toEqual(["garage"]);
    expect(found["garage"]?.["metadata"]).toMatchObject({
        annotations: {
            "argocd.argoproj.io/sync-wave": "2",
            "hearth/revision": "c0ffee",
            "pulumi.com/waitFor": JSON.stringify([
                "jsonpath={.metadata.annotations['hearth/revision']}=c0ffee",
                "jsonpath={.status.sync.revisions[0]}=c0ffee",
                "jsonpath={.status.sync.status}=Synced",
                "jsonpath={.status.health.status}=Healthy",
            ]),
        },
    });
    expect(found["garage"]?.["spec"]).toMatchObject({
        sources: [{ repoURL: "https://git.home.arpa/home.git", targetRevision: "trunk" }],
    });
});

test("its commands refresh them and report late ones; the cluster is only passed on standard input", async () => {
    const registered = await mockEngine();
    new Tier("tier-2", {
        tier: 2,
        applications: [application("garage", 2)],
        settings,
        kubeconfig: "/dev/null",
        revision: "c0ffee",
        forcedBack: Promise.resolve("2026-11-30T12:00:00.000Z"),
    });
    await settled();

    const commands = byType(registered, "command:local:Command");
    const common = {
        kubeconfig: "/dev/null",
        applications: ["garage"],
        revision: "c0ffee",
        forcedBack: "2026-11-30T12:00:00.000Z",
    };
    for (const [name, wait, input] of [
        ["tier-2-refresh", "refresh", { ...common, limit: 60 }],
        ["tier-2-gate", "applications", { ...common, limit: 180, where: "tier 2" }],
    ] as const) {
        const { create, logging, stdin, ...others } = commands[name] ?? {};
        expect({ create, logging, others }).toEqual({
            create: expect.stringMatching(`wait.cjs ${wait}$`),
            logging: "none",
            others: {},
        });
        expect(JSON.parse((stdin as { value: string }).value)).toEqual(input);
    }
});

// Pulumi runs a number of steps at a time, by default four for each processor, and an Application that waits for its
// revision occupies one.
test("Argo CD refreshes a tier before any of its Applications waits, so that any number of late ones cannot block the gate", async () => {
    const registered = await mockEngine();
    const applications = readApplications(resolve(__dirname, "../../.."), "home");
    const own = applications.filter(({ tier }) => tier === 3).map(({ name }) => name);
    new Tier("tier-3", { tier: 3, applications, settings, kubeconfig: "/dev/null", revision: "c0ffee" });
    await settled();

    const [tier, first, second, ...others] = registered.map(({ name }) => name);
    expect([tier, first, second]).toEqual(["tier-3", "tier-3-refresh", "tier-3-gate"]);
    // Pulumi registers the Applications in parallel, in no particular order.
    expect(others.sort()).toEqual([...own].sort());
    const refresh = registered.find(({ name }) => name === "tier-3-refresh");
    for (const { name, dependencies } of registered.filter((each) => own.includes(each.name))) {
        expect({ name, dependencies }).toEqual({ name, dependencies: expect.arrayContaining([refresh?.urn]) });
    }
});

test("after a forced push that resets the branch, only the refresh and the gate of a tier rerun", async () => {
    const inputs = async (forcedBack?: string) => {
        const registered = await mockEngine();
        const applications = [application("garage", 2)];
        const args = { tier: 2, applications, settings, kubeconfig: "/dev/null", revision: "c0ffee" } as const;
        new Tier("tier-2", { ...args, ...(forcedBack && { forcedBack }) });
        await settled();
        return Object.fromEntries(registered.map((each) => [each.name, JSON.stringify(each.inputs)]));
    };
    const [before, after] = [await inputs(), await inputs("2026-11-30T12:00:00.000Z")];

    const changed = Object.keys(before).filter((name) => before[name] !== after[name]);
    expect(changed.sort()).toEqual(["tier-2-gate", "tier-2-refresh"]);
});

test("no Application of a tier is created before all of the previous tier are ready", async () => {
    const registered = await mockEngine();
    const tiers = [1, 2, 3] as const;
    const namesOf = (tier: number) => ["a", "b", "c"].map((each) => `${each}${tier}`);
    const common = {
        applications: tiers.flatMap((tier) => namesOf(tier).map((name) => application(name, tier))),
        settings,
        kubeconfig: "/dev/null",
        revision: "c0ffee",
    };
    const tier1 = new Tier("tier-1", { tier: 1, ...common });
    const tier2 = new Tier("tier-2", { tier: 2, ...common }, { dependsOn: tier1 });
    new Tier("tier-3", { tier: 3, ...common }, { dependsOn: tier2 });
    await settled();

    for (const tier of tiers) {
        const own = registered.filter(({ name }) =>
            [...namesOf(tier), `tier-${tier}-gate`, `tier-${tier}-refresh`].includes(name),
        );
        expect(own).toHaveLength(5);
        for (const { after } of own) {
            expect(after).toEqual(expect.arrayContaining(tiers.filter((each) => each < tier).flatMap(namesOf)));
        }
    }
});
