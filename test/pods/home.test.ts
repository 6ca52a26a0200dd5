import { statSync } from "node:fs";
import { join, resolve } from "node:path";
import { until } from "../sandbox/home";
import { domain, running } from "./applications";
import { busybox, printed } from "./pods";
import { differences } from "./reach";
import { type Pod, ServicesHome } from "./services";

// Milliseconds for a whole home on a busy host.
jest.setTimeout(2_400_000);

let home: ServicesHome;

beforeAll(async () => {
    home = await ServicesHome.create();
});

afterAll(async () => {
    await home?.remove();
});

test("`pulumi up` turns bare hosts into a home whose Applications are all Synced and Healthy", async () => {
    await printed(home.cluster.stack.up());
    const { items } = await home.json<{
        items: { metadata: { name: string }; status: { sync: { status: string }; health: { status: string } } }[];
    }>("applications", "--namespace=argocd");
    expect(items.map(({ metadata, status }) => [metadata.name, status.sync.status, status.health.status])).toEqual(
        [...running, "root"].sort().map((name) => [name, "Synced", "Healthy"]),
    );
});

test("every pod is ready on a node, or has succeeded", async () => {
    const bad = async () =>
        (await home.pods())
            .filter(
                ({ status }) =>
                    status.phase !== "Succeeded" &&
                    !status.conditions.some(({ type, status: state }) => type === "Ready" && state === "True"),
            )
            .map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
    // A CronJob's pod may start at any time.
    await until("no pod is unready", 60_000, async () => (await bad()).length === 0).catch(async () => {
        expect(await bad()).toEqual([]);
    });
});

test("a user at home opens the start page by its name, with a certificate of the home", async () => {
    const person = await home.person();
    const traefik = await home.kubectl(
        ...["get", "service", "traefik", "--namespace=kube-system"],
        "--output=jsonpath={.status.loadBalancer.ingress[0].ip}",
    );
    expect(traefik).toBe((await home.cluster.stack.output("traefik")).trim());
    const resolved = await printed(person.run("dig", ["+short", `home.${domain}`]));
    expect(resolved.trim()).toBe(traefik);
    expect(await person.page(`https://home.${domain}`)).toContain("Home");
});

test("a browser shows the start page with a link to each service, and takes its certificate", async () => {
    const person = await home.person();
    const shown = async () => person.look(`https://home.${domain}`);
    await until("the page has its links", 120_000, async () => /AdGuard Home/.test(await shown()));
    const links = [...(await shown()).matchAll(/href="(https:[^"]*)">([^<]+)</g)].map(([, url, title]) => [title, url]);
    expect(links.sort()).toEqual(
        [
            ["AdGuard Home", "adguard"],
            ["Alertmanager", "alertmanager"],
            ["Argo CD", "argocd"],
            ["Certificate authority", "ca"],
            ["Gatus", "status"],
            ["Gitea", "git"],
            ["Prometheus", "prometheus"],
            ["Syncthing", "syncthing"],
        ].map(([title, host]) => [title, `https://${host}.${domain}`]),
    );
    const picture = process.env["UPDATE_PICTURE"] ? resolve("docs/home.png") : join(home.cluster.folder, "home.png");
    await person.photograph(`https://home.${domain}`, picture);
    expect(statSync(picture).size).toBeLessThan(200_000);
});

test("a push to Gitea reaches a running pod without manual steps", async () => {
    const change = (text: string) => text.replace("title: Services", "title: All that we have");
    await home.push("charts/glance/config/glance.yml", change, "feat: another title");
    await until("the page has the new title", 300_000, async () =>
        (await home.startPage()).includes("All that we have"),
    );
});

test("pods reach each other only where the charts' NetworkPolicies allow it", async () => {
    await home.kubectl("create", "namespace", "stranger");
    await home.kubectl(
        ...["run", "stranger", "--namespace=stranger", `--image=${busybox}`, "--labels=app=stranger"],
        ...["--", "sleep", "infinity"],
    );
    await home.kubectl("wait", "--namespace=stranger", "--for=condition=Ready", "pod/stranger", "--timeout=120s");
    const endpoints = (await home.pods())
        .filter(({ spec, status }) => status.phase === "Running" && !spec.hostNetwork)
        .map(({ metadata: { namespace, labels }, spec, status }) => ({
            name: `${namespace}/${labels["app.kubernetes.io/name"] ?? labels["k8s-app"] ?? labels["app"]}`,
            address: status.podIP,
            node: spec.nodeName,
            ports: spec.containers
                .flatMap(({ ports = [] }) => ports)
                .filter(({ protocol }) => protocol === "TCP")
                .map(({ containerPort }) => containerPort),
        }));
    // In the namespace cert-manager, most pods belong to the release.
    const ours = endpoints.filter(
        ({ name }) => /^(?!cert-manager\/)/.test(name) && running.includes(name.replace(/\/.*/, "")),
    );
    const others = endpoints.filter(({ name }) =>
        ["kube-system/traefik", "argocd/argocd-server", "stranger/stranger"].includes(name),
    );
    const { tried, wrong } = await differences(home.cluster.machines, [...ours, ...others], ours);
    expect(wrong).toEqual([]);
    expect(tried).toBeGreaterThan(100);
});

test("an app's database keeps its rows after its pod is deleted and after its node loses power", async () => {
    const psql = (statement: string) =>
        home.cluster.kubectl(
            ...["exec", "--namespace=database", "postgres-0", "--container=postgres", "--"],
            ...["psql", "--username=immich", "--dbname=immich", "--tuples-only", `--command=${statement}`],
        );
    const hasItsRows = () =>
        until("the database has its rows", 300_000, async () => {
            const { exitCode, output } = await psql("SELECT name FROM albums");
            return exitCode === 0 && output.includes("summer");
        });
    await printed(psql("CREATE TABLE albums AS SELECT 'summer' AS name"));
    const { spec } = await home.json<Pod>("pod", "postgres-0", "--namespace=database");
    await home.kubectl("delete", "pod", "postgres-0", "--namespace=database");
    await hasItsRows();

    await home.cluster.machine(spec.nodeName).powerOff();
    await home.cluster.machine(spec.nodeName).start();
    await hasItsRows();
    await home.isReady();
});

test("Prometheus reads every target", async () => {
    const down = async () => {
        const { data } = JSON.parse(
            await home.kubectl(
                ...["exec", "--namespace=monitoring", "prometheus-0", "--", "wget", "-qO-"],
                "http://127.0.0.1:9090/api/v1/targets?state=active",
            ),
        ) as { data: { activeTargets: { health: string; scrapeUrl: string; lastError: string }[] } };
        expect(data.activeTargets.length).toBeGreaterThan(10);
        return data.activeTargets
            .filter(({ health }) => health !== "up")
            .map(({ scrapeUrl, lastError }) => `${scrapeUrl}: ${lastError}`);
    };
    await until("all targets are up", 180_000, async () => (await down()).length === 0).catch(async () => {
        expect(await down()).toEqual([]);
    });
});

describe("an image that does not exist", () => {
    const values = "charts/glance/values.yaml";
    const [right, wrong] = ["docker.io/glanceapp/glance", "docker.io/glanceapp/glanse"];

    test("hack/status names the pod, the image and the node, and the previous page stays up", async () => {
        await home.push(values, (text) => text.replace(right, wrong), "feat: an image with a misspelled name");
        await until("hack/status names it", 300_000, async () =>
            /Pod glance-\S+ on (s1|a1|a2): Failed: Failed to pull image "docker.io\/glanceapp\/glanse:\S+"/.test(
                (await home.cluster.stack.hack("status")).output,
            ),
        );
        expect(await home.startPage()).toContain("AdGuard Home");
    });

    test("`pulumi up` fails with the same reason, and the next push fixes it", async () => {
        await printed(home.cluster.stack.pulumi("config", "set", "hearth:tierTimeout", "1m", "--stack", "test"));
        const { exitCode, output } = await home.cluster.stack.up();
        expect(exitCode).not.toBe(0);
        expect(output).toMatch(/Application glance \(tier 3\) did not become Synced and Healthy in time/);
        expect(output).toMatch(
            /Pod glance-\S+ on (s1|a1|a2): Failed: Failed to pull image "docker.io\/glanceapp\/glanse/,
        );
        await home.push(values, (text) => text.replace(wrong, right), "fix: the image's name");
        await home.isReady();
    });
});

test("hack/status names a container that exceeds its memory limit, and the previous page stays up", async () => {
    const values = "charts/glance/values.yaml";
    const [right, wrong] = ["args: [--config, /app/config/glance.yml]", "command: [tail, /dev/zero]"];
    await home.push(values, (text) => text.replace(right, wrong), "feat: a program that needs more memory");
    const named =
        /Pod glance-\S+ on (s1|a1|a2): container glance \(docker.io\/glanceapp\/glance:\S+\) was killed at its memory limit of 128Mi/;
    await until("hack/status names it", 300_000, async () =>
        named.test((await home.cluster.stack.hack("status")).output),
    );
    expect(await home.startPage()).toContain("AdGuard Home");
    await home.push(values, (text) => text.replace(wrong, right), "fix: the program's arguments");
    await home.isReady();
});

test("while the registry is unreachable, a deleted pod restarts from its node's image", async () => {
    home.surroundings.stopImages();
    await home.kubectl("delete", "pod", "alertmanager-0", "--namespace=monitoring");
    await until("it is ready", 120_000, async () => {
        const ready = '--output=jsonpath={.status.conditions[?(@.type=="Ready")].status}';
        return (
            (await home.cluster.kubectl("get", "pod", "alertmanager-0", "--namespace=monitoring", ready)).output ===
            "True"
        );
    });
});
