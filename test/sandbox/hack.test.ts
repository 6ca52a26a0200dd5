import { Home, isReady, until } from "./home";

/** Milliseconds; a fresh cluster takes minutes on two cores. */
const limit = 10 * 60_000;

/** Milliseconds for Argo CD to see a change in the cluster. */
const soon = 60_000;

let home: Home;

/** Ctrl-C. */
const interrupt = "\u0003";

/** One of the verbs about a cluster, for the stack of the sandbox. */
const hack = (verb: string, ...args: string[]) => home.hack(verb, ...args, "--stack", "sandbox");

/** Output of hack/status, as JSON. */
async function status(): Promise<{ code: number | null; ready: boolean; first?: { what: string } }> {
    const { code, output } = await hack("status", "--json");
    return { code, ...JSON.parse(output) };
}

/** Makes Argo CD refresh now: the tests are about the result, not about the polling interval. */
async function pushed(message: string): Promise<string> {
    const revision = await home.commit(message);
    await home.push();
    await home.kubectl(
        ...["annotate", "application", "root", "--namespace", "argocd", "argocd.argoproj.io/refresh=normal"],
    );
    return revision;
}

const navidrome = async () => (await home.applications()).get("navidrome");
const synced = async () => (await navidrome())?.status?.sync?.status;

/** The memory request of the running Deployment. */
async function memory(): Promise<string> {
    const { output } = await home.kubectl(
        ...["get", "deployment", "navidrome", "--namespace", "navidrome"],
        ...["--output", "jsonpath={.spec.template.spec.containers[0].resources.requests.memory}"],
    );
    return output;
}

/** The volumes of a service, by the identity of their claims. */
async function claims(namespace = "navidrome"): Promise<string[]> {
    const { items } = await home.get<{ items: { metadata: { uid: string } }[] }>("pvc", "--namespace", namespace);
    return items.map(({ metadata }) => metadata.uid);
}

beforeAll(async () => {
    home = await Home.create();
    home.keepApplications("cert-manager", "database", "gitops", "qbittorrent", "navidrome");
    await home.commit("a small home");
}, limit);

afterAll(async () => home.remove(), limit);

test("without a cluster, status and doctor report that and the next command", async () => {
    const missing = await hack("status");
    expect(missing.code).toBe(1);
    expect(missing.output).toContain("start the sandbox with `npm start`");

    const doctor = await hack("doctor");
    expect(doctor.code).toBe(3);
    expect(doctor.output).toMatch(/bad\s+stack/);
    expect(doctor.output).toMatch(/bad\s+cluster/);
});

test(
    "on an empty cluster, status and doctor report its progress; hack/install system continues from there",
    async () => {
        await home.startCluster();
        expect(await status()).toMatchObject({
            code: 3,
            first: {
                what: "Argo CD is not installed: the program has not reached this step.",
                command: "npx pulumi up",
            },
        });
        expect(await hack("doctor")).toMatchObject({ code: 0, output: expect.not.stringMatching(/^bad/m) });

        const asked = [["Do you want to perform this update", "yes\r"]] as const;
        const { code, output } = await home.type("hack/install system --stack sandbox", asked);
        expect({ output, code }).toEqual({ output, code: 0 });
        expect(await status()).toMatchObject({
            code: 3,
            first: { what: "No Application exists: the program has not reached this step.", command: "npx pulumi up" },
        });
    },
    limit,
);

test(
    "on a healthy home, status and doctor report no problem",
    async () => {
        const { code, output } = await home.start();
        expect({ code, output }).toHaveEndedWith(0);

        expect(await status()).toMatchObject({ code: 0, ready: true });
        expect(await hack("doctor")).toMatchObject({ code: 0, output: expect.not.stringMatching(/^bad/m) });
    },
    limit,
);

test.each(["cert-manager", "database", "gitops", "navidrome"])(
    "Argo CD applied exactly what hack/template renders: %s has no difference",
    async (chart) => {
        expect(await hack("template", chart, "--diff", "cluster")).toEqual({ code: 0, output: "" });
    },
    soon,
);

test(
    "hack/install deploys uncommitted changes; Argo CD shows them and leaves them until they are committed",
    async () => {
        home.edit("charts/navidrome/values.yaml", (text) => text.replace("memory: 128Mi", "memory: 160Mi"));

        for (const base of ["cluster", "main"]) {
            const { code, output } = await hack("template", "navidrome", "--diff", base);
            expect({ base, code, output }).toMatchObject({ base, code: 0 });
            expect(output).toMatch(/^-\s+memory: 128Mi$/m);
            expect(output).toMatch(/^\+\s+memory: 160Mi$/m);
        }
        expect(await hack("install", "navidrome")).toHaveEndedWith(0);
        expect(await memory()).toBe("160Mi");

        await until("navidrome is OutOfSync", soon, async () => (await synced()) === "OutOfSync");
        expect(await status()).toMatchObject({
            code: 3,
            first: { what: expect.stringContaining("navidrome (tier 3) is OutOfSync") },
        });
        // Argo CD compares again, with all of its automatic actions.
        const annotation = "argocd.argoproj.io/refresh";
        await home.kubectl(...["annotate", "application", "navidrome", "--namespace", "argocd", `${annotation}=hard`]);
        await until(
            "Argo CD has compared again",
            soon,
            async () => !(annotation in ((await navidrome())?.metadata.annotations ?? {})),
        );
        expect(await synced()).toBe("OutOfSync");
        expect(await memory()).toBe("160Mi");

        home.edit("charts/navidrome/values.yaml", (text) => text.replace("memory: 160Mi", "memory: 192Mi"));
        const revision = await home.commit("navidrome: more memory");
        expect(await home.start()).toHaveEndedWith(0);
        const application = await navidrome();
        expect(application && isReady(application, revision)).toBe(true);
        expect(await memory()).toBe("192Mi");
    },
    limit,
);

test(
    "hack/uninstall lists what it removes, asks for confirmation, and keeps the volumes; hack/install restores the service",
    async () => {
        const before = await claims();
        expect(before).not.toEqual([]);

        const unasked = await hack("uninstall", "navidrome");
        expect(unasked.code).toBe(2);
        expect(unasked.output).toMatch(/removes:(\n {2}\S+)*\n {2}deployment\.apps\/navidrome/);
        expect(await memory()).toBe("192Mi");

        expect(await hack("uninstall", "navidrome", "--yes")).toHaveEndedWith(0);
        expect(await memory()).toContain("not found");
        expect(await claims()).toEqual(before);

        expect(await hack("install", "navidrome")).toHaveEndedWith(0);
        expect(await memory()).toBe("192Mi");
        await until("the home is well again", soon, async () => (await status()).ready);
    },
    limit,
);

test(
    "hack/uninstall removes nothing when its prompt is answered with Ctrl-C",
    async () => {
        const typed = await home.type("hack/uninstall navidrome --stack sandbox", [["Remove it? [y/N]", interrupt]]);
        expect(typed).toMatchObject({ code: 130, output: expect.stringContaining("deployment.apps/navidrome") });
        expect(await memory()).toBe("192Mi");
    },
    soon,
);

test(
    "hack/uninstall of Argo CD's own chart keeps the definition of Applications, and with it every other service",
    async () => {
        const asked = await hack("uninstall", "gitops");
        expect(asked).toMatchObject({
            code: 2,
            output: expect.stringContaining("statefulset.apps/argocd-application"),
        });
        expect(asked.output).not.toContain("customresourcedefinition");
    },
    soon,
);

test(
    "hack/uninstall --data removes the volumes too; a reinstalled service starts empty",
    async () => {
        expect(await hack("uninstall", "navidrome", "--yes", "--data")).toHaveEndedWith(0);
        expect(await claims()).toEqual([]);
        expect(await hack("install", "navidrome")).toHaveEndedWith(0);
        await until("the home is well again", soon, async () => (await status()).ready);
    },
    limit,
);

test(
    "a service from hack/new-app runs at once, and from one commit",
    async () => {
        const { code, output } = await home.hack("new-app", "wishlist", "--image", "ghcr.io/cmintey/wishlist:v0.53.2");
        expect({ code, output }).toHaveEndedWith(0);
        expect(await hack("install", "wishlist")).toHaveEndedWith(0);

        const revision = await home.commit("wishlist");
        expect(await home.start()).toHaveEndedWith(0);
        const application = (await home.applications()).get("wishlist");
        expect(application && isReady(application, revision)).toBe(true);
    },
    limit,
);

test(
    "a service needs one pushed commit and no run of the program, also during a sync of root: its namespace is part of it",
    async () => {
        const { code, output } = await home.hack("new-app", "notes", "--image", "ghcr.io/owner/notes:v1.2.3");
        expect({ code, output }).toHaveEndedWith(0);
        // Root's sync takes seconds, since it pauses after each wave: the push happens during it.
        const operation = { sync: { syncOptions: ["ServerSideApply=true", "Validate=false"] } };
        const asked = await home.kubectl(
            ...["patch", "application", "root", "--namespace", "argocd", "--type", "merge"],
            ...["--patch", JSON.stringify({ operation })],
        );
        expect(asked).toHaveEndedWith(0);
        const revision = await pushed("notes");

        await until("notes is Synced and Healthy", 2 * soon, async () => {
            const notes = (await home.applications()).get("notes");
            return notes !== undefined && isReady(notes, revision);
        });
        const { metadata } = await home.get<{ metadata: { labels: object } }>("namespace", "notes");
        expect(metadata.labels).toMatchObject({ "pod-security.kubernetes.io/enforce": "restricted" });
        // Root's first sync after the bootstrap keeps what `pulumi up` had added before it.
        expect((await home.applications()).has("wishlist")).toBe(true);
    },
    limit,
);

test.each([
    ["that only commits made", "notes"],
    ["that the program knew", "wishlist"],
])(
    "a pushed commit removes a service %s; its volumes stay, also after the next run of the program",
    async (_, name) => {
        const before = await claims(name);
        expect(before).not.toEqual([]);
        home.removeFile(`clusters/home/apps/${name}.yaml`);
        home.removeFolder(`charts/${name}`);
        home.edit("clusters/home/kustomization.yaml", (text) => text.replace(`  - apps/${name}.yaml\n`, ""));
        await pushed(`without ${name}`);

        await until(`${name} is gone`, 2 * soon, async () => !(await home.applications()).has(name));
        expect((await home.kubectl("get", "deployments", "--namespace", name)).output).toContain("No resources found");

        const { code, output } = await home.start();
        expect({ code, output }).toHaveEndedWith(0);
        expect(await claims(name)).toEqual(before);
    },
    limit,
);
