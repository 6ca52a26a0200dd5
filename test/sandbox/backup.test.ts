import { planStop, readMounting, start, stop } from "../../hack/backups/stop";
import { Kubectl } from "../../hack/kubectl";
import { Home, isReady, until } from "./home";

/** Milliseconds for a fresh cluster and every Application. */
const limit = 15 * 60_000;

/** Time in which Argo CD sees a push, in milliseconds. */
const soon = 2 * 60_000;

const secrets = {
    "backup.password": "Gq7-a password for the drawer",
    "backup.rest.password": "Hx2-that of the account",
};

/** A second target, which a server in the cluster mounts. */
const nas = "nfs://10.20.0.10/copies";

let home: Home;

interface Named {
    readonly metadata: { readonly name: string; readonly namespace: string; readonly uid: string };
}

/** `namespace/name` of the objects of a kind, in all namespaces. */
async function names(kind: string, ...options: string[]): Promise<string[]> {
    const { items } = await home.get<{ items: Named[] }>(kind, "--all-namespaces", ...options);
    return items.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`).sort();
}

const namespacesOf = (objects: readonly string[]) => [...new Set(objects.map((each) => each.replace(/\/.*/, "")))];
const namesOfJobs = (work: string) => names("cronjobs", `--selector=hearth/backup=${work}`);
const secretsOfTargets = () => names("secrets", "--field-selector=metadata.name=backup");

/** UIDs of services' claims, to detect recreated ones. */
async function claims(): Promise<string[]> {
    const { items } = await home.get<{ items: Named[] }>("pvc", "--all-namespaces");
    const services = items.filter(({ metadata }) => metadata.namespace !== "backup");
    return services.map(({ metadata }) => metadata.uid).sort();
}

async function late(revision: string): Promise<string[]> {
    const applications = await home.applications();
    expect(applications.size).toBe(28);
    return [...applications]
        .filter(([name, each]) => name !== "root" && !isReady(each, revision))
        .map(([name]) => name);
}

let revision: string;

beforeAll(async () => {
    home = await Home.create();
    await home.startCluster();
    for (const [path, value] of Object.entries(secrets)) {
        expect(await home.setSecret(`hearth:${path}`, value)).toHaveEndedWith(0);
    }
    const settings = { target: "rest:https://10.20.0.11:8000/home/", "rest.user": "home", "second.target": nas };
    for (const [path, value] of Object.entries(settings)) {
        expect(await home.pulumi("config", "set", "--path", `hearth:backup.${path}`, value)).toHaveEndedWith(0);
    }
    revision = await home.commit("copies off the home");
}, limit);

afterAll(async () => home.remove(), limit);

test(
    "a home with a backup target becomes Healthy, with a Secret in each namespace with a volume to copy",
    async () => {
        expect(await home.start()).toHaveEndedWith(0);
        expect(await late(revision)).toEqual([]);

        const copied = await namesOfJobs("backup");
        expect(copied).toContain("vaultwarden/vaultwarden-data-backup");
        expect([await namesOfJobs("drill"), await namesOfJobs("restore")]).toEqual(
            ["drill", "restore"].map((work) => copied.map((each) => each.replace(/backup$/, work))),
        );
        expect([...(await namesOfJobs("prune")), ...(await namesOfJobs("repository"))]).toEqual([
            "backup/prune",
            "backup/repository",
        ]);
        expect(namespacesOf(await secretsOfTargets())).toEqual([...namespacesOf(copied), "backup"].sort());
        expect(await home.secret("backup", "password", "vaultwarden")).toBe(secrets["backup.password"]);
        expect(await home.secret("backup", "main.password", "vaultwarden")).toBe(secrets["backup.rest.password"]);
        const [volume] = (await home.get<{ items: { spec: object; status: object }[] }>("pv")).items.filter(
            ({ spec }) => "nfs" in spec,
        );
        expect(volume).toMatchObject({
            spec: { nfs: { server: "10.20.0.10", path: "/copies" } },
            status: { phase: "Bound" },
        });
        expect((await home.kubectl("get", "pods", "--namespace=backup")).output).toMatch(
            /^server-second-\S+ +1\/1 +Running/m,
        );
    },
    limit,
);

test("the stack's state and file do not contain the target's passwords in plain text", async () => {
    const { code, output } = await home.pulumi("stack", "export");
    expect(code).toBe(0);
    for (const value of Object.values(secrets)) {
        expect(output).not.toContain(value);
        expect(output).not.toContain(Buffer.from(value).toString("base64"));
    }
});

test(
    "an update without changes changes nothing",
    async () => {
        const { code, output } = await home.pulumi("up", "--yes", "--expect-no-changes");
        expect({ code, output }).toHaveEndedWith(0);
    },
    limit,
);

test(
    "Argo CD does not start a service that hack/restore has stopped, even if its chart changes, until the restore ends",
    async () => {
        const service = { name: "navidrome", namespace: "navidrome" };
        const volumes = await home.get<{ items: Named[] }>("pvc", "--namespace=navidrome");
        const claim = volumes.items.map(({ metadata }) => metadata.name);
        const kubectl = new Kubectl(home.kubeconfig);
        const replicas = async () =>
            (await home.get<{ spec: { replicas: number } }>("deployment", "navidrome", "--namespace=navidrome")).spec
                .replicas;
        expect(await replicas()).toBe(1);
        const planned = planStop(await readMounting(kubectl, service.namespace), claim);
        await stop(kubectl, service, planned, claim);

        for (const chart of ["navidrome", "kavita"]) {
            home.edit(`charts/${chart}/values.yaml`, (text) => text.replace(/(requests: .*memory: )\d+Mi/, "$1160Mi"));
        }
        revision = await home.commit("more memory");
        await home.push();
        const refresh = "argocd.argoproj.io/refresh=normal";
        const ready = async (name: string) => {
            const application = (await home.applications()).get(name);
            return application !== undefined && isReady(application, revision);
        };
        // A change of another chart in the same commit shows that Argo CD has seen it.
        await home.kubectl("annotate", "application", "navidrome", "kavita", "--namespace=argocd", refresh);
        await until("the other service has the commit", soon, () => ready("kavita"));
        expect(await replicas()).toBe(0);

        await start(kubectl, service, planned);
        await until("the service has the commit", soon, () => ready("navidrome"));
        expect(await replicas()).toBe(1);
    },
    limit,
);

test(
    "without hearth:backup, the CronJobs are removed, and every volume stays",
    async () => {
        const before = await claims();
        home.edit("Pulumi.sandbox.yaml", (text) => text.replace(/ {2}hearth:backup:\n( {4}.*\n)+/, ""));
        revision = await home.commit("no copies");
        expect(await home.start()).toHaveEndedWith(0);

        expect(await late(revision)).toEqual([]);
        expect(await names("cronjobs", "--selector=hearth/backup")).toEqual([]);
        expect(await secretsOfTargets()).toEqual([]);
        expect((await home.kubectl("get", "namespace", "backup")).output).toContain("not found");
        expect(await claims()).toEqual(before);
    },
    limit,
);
