import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { podVersions } from "../provision/home";
import { until } from "../sandbox/home";
import { domain } from "./applications";
import { setRelease } from "./checkout";
import { busybox, printed } from "./pods";
import { ServicesHome } from "./services";

// Milliseconds for a whole home on a busy host.
jest.setTimeout(2_400_000);

let home: ServicesHome;

beforeAll(async () => {
    home = await ServicesHome.create();
    await printed(home.cluster.stack.up());
});

afterAll(async () => {
    await home?.remove();
});

test("a push to the SSH address that Gitea shows reaches a running pod", async () => {
    const person = await home.administrator();
    const gitea = `https://git.${domain}/api/v1`;
    const key = JSON.stringify({ title: "laptop", key: await person.makeKey() });
    await person.page(`${gitea}/user/keys`, "--json", key);
    const { ssh_url: url } = JSON.parse(await person.page(`${gitea}/repos/home/hearth`));
    expect(url).toBe(`git@git.${domain}:home/hearth.git`);
    const change = (text: string) => text.replace("title: Services", "title: By SSH");
    await home.push("charts/glance/config/glance.yml", change, "feat: another title", url);
    await until("the page has the new title", 300_000, async () => (await home.startPage()).includes("By SSH"));
});

test("`hack/template --diff` shows uncommitted changes and applies none", async () => {
    const { folder } = home.cluster.stack;
    const file = join(folder, "charts/gatus/values.yaml");
    const committed = readFileSync(file, "utf8");
    const template = (...args: string[]) => printed(home.cluster.stack.hack("template", "gatus", ...args));
    expect(await template("--diff")).toBe("");
    expect(await template("--diff", "main")).toBe("");

    const memory = /(limits: \{ memory: )\w+/;
    expect(committed).toMatch(memory);
    writeFileSync(file, committed.replace(memory, "$1321Mi"));
    for (const difference of [await template("--diff"), await template("--diff", "main")]) {
        expect(difference.split("\n").filter((line) => /^[-+] (?!.*generation:)/.test(line))).toEqual([
            expect.stringMatching(/^- +memory: "?\d+Mi"?$/),
            expect.stringMatching(/^\+ +memory: "?321Mi"?$/),
        ]);
    }
    writeFileSync(file, committed);
    expect(await template("--diff")).toBe("");
});

/** Program that accepts requests like ntfy, and prints the first line of each. */
const receiver = `while read -r line; do
    line=\${line%?}
    case $line in
        POST*) echo "$line" >&2 ;;
        Content-Length:*) length=\${line#*: } ;;
        "") break ;;
    esac
done
head -c "\${length:-0}" > /dev/null
printf 'HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n'`;

test("a node that loses power is reported to the phone, by Alertmanager through ntfy", async () => {
    // Without CoreDNS, ntfy is not found until CoreDNS has moved to another node.
    const resolver = (await home.pods()).find(({ metadata }) => metadata.name.startsWith("coredns-"));
    const lost = resolver?.spec.nodeName === "a1" ? "a2" : "a1";
    await home.kubectl("create", "namespace", "ntfy");
    await home.cluster.apply({
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: "ntfy", namespace: "ntfy", labels: { "app.kubernetes.io/name": "ntfy" } },
        spec: {
            nodeSelector: { "kubernetes.io/hostname": "s1" },
            containers: [
                {
                    name: "ntfy",
                    image: busybox,
                    command: ["nc", "-ll", "-p", "8080", "-e", "sh", "-c", receiver],
                    ports: [{ containerPort: 8080 }],
                },
            ],
        },
    });
    await home.kubectl("expose", "pod", "ntfy", "--namespace=ntfy", "--port=8080");
    await home.kubectl("wait", "--namespace=ntfy", "--for=condition=Ready", "pod/ntfy", "--timeout=120s");

    await home.cluster.machine(lost).powerOff();
    const received = async () =>
        (await home.kubectl("logs", "ntfy", "--namespace=ntfy"))
            .split("\n")
            .flatMap((line) => /^POST \/alerts\?(\S+) HTTP/.exec(line)?.[1] ?? [])
            .map((query) => new URLSearchParams(query))
            .filter((query) => query.get("title") === `Node ${lost} is not ready`);
    await until("the message arrives", 600_000, async () => (await received()).length > 0);
    const [message] = await received();
    expect(message?.get("priority")).toBe("urgent");
    expect(message?.get("message")).toMatch(/^Its kubelet has not reported for some minutes/);
    expect(message?.get("click")).toBe(`https://git.${domain}/home/hearth/src/branch/main/docs/runbooks/NodeDown.md`);

    await home.cluster.machine(lost).start();
    await home.kubectl("delete", "namespace", "ntfy");
    await home.isReady();
});

test("AdGuard Home keeps its users' rewrites through `hack/uninstall` and `hack/install`", async () => {
    const person = await home.person();
    const host = `adguard.${domain}`;
    const answer = "10.77.0.50";
    person.logIn(host, "admin", await home.secret("adguard", "adguard-secrets", "admin-password"));
    const rewrite = JSON.stringify({ domain: "printer.lan", answer });
    await person.page(`https://${host}/control/rewrite/add`, "--json", rewrite);
    const asked = async () => (await person.run("dig", ["+short", "+time=2", "+tries=1", "printer.lan"])).output.trim();
    await until("the name is resolved", 30_000, async () => (await asked()) === answer);

    await printed(home.cluster.stack.hack("uninstall", "adguard", "--yes"));
    expect(await asked()).not.toBe(answer);
    await printed(home.cluster.stack.hack("install", "adguard"));
    await until("the name is resolved again", 120_000, async () => (await asked()) === answer);
    await home.isReady();
});

test("a patch release of k3s reaches every node, and the services keep their data", async () => {
    const psql = (statement: string) =>
        home.kubectl(
            ...["exec", "--namespace=database", "postgres-0", "--container=postgres", "--"],
            ...["psql", "--username=immich", "--dbname=immich", "--tuples-only", `--command=${statement}`],
        );
    await psql("CREATE TABLE albums AS SELECT 'winter' AS name");
    setRelease(home.cluster, podVersions[1]);
    await printed(home.cluster.stack.up());
    const live = [...(await home.cluster.liveNodes()).values()];
    expect(live.map(({ status }) => status.nodeInfo.kubeletVersion)).toEqual(
        ["a1", "a2", "s1"].map(() => podVersions[1]),
    );
    expect(live.filter(({ spec }) => spec.unschedulable)).toEqual([]);
    await home.isReady();
    expect(await psql("SELECT name FROM albums")).toContain("winter");
    expect(await home.startPage()).toContain("AdGuard Home");
});
